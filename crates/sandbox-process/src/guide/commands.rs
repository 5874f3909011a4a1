//! Commands.
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
//! let mut running = process.exec("read name; echo hello $name").spawn().piped_stdin().kill_on_drop().await?;
//! let mut stdin = running.stdin().expect("it is piped");
//! stdin.write_all(b"you\n").await?;
//! drop(stdin); // ends the input
//! let end = running
//!     .wait_with(async |channel, bytes| println!("{channel}: {}", String::from_utf8_lossy(&bytes)))
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
