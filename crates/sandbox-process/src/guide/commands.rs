//! Commands: run to their end, or followed while they run.
//!
//! ```no_run
//! use std::time::Duration;
//! use sandbox_process::{Process, Termination};
//!
//! # async fn example(process: Process, name: &str) -> Result<(), sandbox_process::Error> {
//! // A program and its arguments: nothing in them is special, and nothing has to be quoted.
//! let outcome = process.command("git").args(["clone", "--", name]).cwd("src").await?;
//! println!("{:?}: {}", outcome.exit_code(), outcome.stderr_lossy());
//!
//! // A text for the daemon's shell.
//! let outcome = process.exec("ls | wc -l").env("LC_ALL", "C").await?;
//! println!("{}", outcome.stdout_lossy());
//!
//! let outcome = process.exec("sleep 10").timeout(Duration::from_secs(5)).await?;
//! assert_eq!(outcome.termination, Termination::TimedOut);
//!
//! // Both outputs in the order in which they were written, as by `2>&1`.
//! let outcome = process.exec("make").merge_stderr().await?;
//! println!("{}", outcome.stdout_lossy());
//! # Ok(())
//! # }
//! ```
//!
//! The shell is the daemon's: zsh or bash if `/etc/shells` lists them, else `$SHELL`, else `sh`. `echo $0` shows which one. The
//! command's input is empty. A child that the command leaves behind delays nothing with this project's daemon; with Daytona's, one
//! that holds the output open does.
//!
//! # Limits
//!
//! Besides the time, a run may have limits of memory, processes, processors, the size of files and open files. They are *extensions*
//! of this project's daemon, which needs a control group for those of all processes together: as root, or delegated by systemd. A
//! daemon that cannot enforce a limit starts nothing and returns an error. `sandbox doctor` shows what it can enforce.
//!
//! ```no_run
//! use sandbox_process::{Limit, Process, Termination};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let build = process.exec("./build").memory_limit(512 << 20).process_limit(64).cpu_limit(1.5);
//! let outcome = build.await?;
//! if outcome.termination == (Termination::LimitExceeded { limit: Limit::Memory }) {
//!     println!("it needs more memory");
//! }
//! if let Some(usage) = outcome.usage() {
//!     println!("{:?} of processor time", usage.user_time + usage.system_time);
//!     println!("{:?} bytes at its peak", usage.peak_memory_bytes);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`isolation`](crate::Exec::isolation) keeps a run away from the files, the processes and the network of the machine.
//!
//! # A command that takes longer
//!
//! [`soft_timeout`](crate::Exec::soft_timeout) waits for a command for so long, and leaves it running after that. *Extension* of this
//! project's daemon.
//!
//! ```no_run
//! use std::time::Duration;
//! use sandbox_process::Process;
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let test = process
//!     .exec("make test")
//!     .soft_timeout(Duration::from_secs(10))
//!     .timeout(Duration::from_secs(600))
//!     .await?;
//! print!("{}", test.stdout_lossy());
//! if let Some(id) = test.still_running() {
//!     // Now, or from another program: the id is all that it takes.
//!     let outcome = process.background(id).wait().await?;
//!     println!("{} of {} bytes", outcome.termination, outcome.stdout.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The outcome has what the command has written so far, and no exit code. A [`BackgroundCommand`](crate::BackgroundCommand) is followed,
//! signaled and waited for. The time limit still ends it, and so does the end of the daemon: with an embedded one, of this program.
//! Programs and commands of a session have no soft limit; [`Session::spawn`](crate::Session::spawn) returns immediately.
//!
//! # While it runs
//!
//! [`spawn`](crate::Exec::spawn) starts a command and returns a [`Running`](crate::Running), by which it is followed, sent input and
//! signals. *Extension* of this project's daemon.
//!
//! ```no_run
//! use sandbox_process::{Process, Signal};
//! use tokio::io::AsyncWriteExt;
//!
//! # async fn example(process: Process) -> Result<(), Box<dyn std::error::Error>> {
//! let hello = process.exec("read name; echo hello $name");
//! let mut running = hello.spawn().piped_stdin().kill_on_drop().await?;
//! let mut stdin = running.stdin().expect("it is piped");
//! stdin.write_all(b"you\n").await?;
//! drop(stdin); // ends the input
//! let end = running
//!     .wait_with(async |channel, bytes| {
//!         println!("{channel}: {}", String::from_utf8_lossy(&bytes));
//!     })
//!     .await?;
//! println!("{:?}", end.exit_code());
//!
//! let mut server = process.command("./server").spawn().await?;
//! server.signal(Signal::TERM).await?;
//! println!("{:?}", server.wait().await?.termination);
//! # Ok(())
//! # }
//! ```
//!
//! [`wait`](crate::Running::wait) collects the output and returns an [`Outcome`](crate::Outcome);
//! [`wait_with`](crate::Running::wait_with) passes it on and returns the [`Termination`](crate::Termination) alone.
//!
//! A [`Running`](crate::Running) is a `Stream` of [events](crate::ExecEvent), too, and [`into_io`](crate::Running::into_io) makes it an
//! `AsyncRead` and an `AsyncWrite`:
//!
//! ```no_run
//! use sandbox_process::Process;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # async fn example(process: Process) -> Result<(), Box<dyn std::error::Error>> {
//! let (mut output, mut input) = process.command("sort").spawn().piped_stdin().await?.into_io();
//! input.write_all(b"b\na\n").await?;
//! input.shutdown().await?;
//! let mut sorted = String::new();
//! output.read_to_string(&mut sorted).await?;
//! # Ok(())
//! # }
//! ```
