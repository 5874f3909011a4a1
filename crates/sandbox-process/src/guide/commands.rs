//! Commands.
//!
//! ```no_run
//! use std::time::Duration;
//! use sandbox_process::{Process, Termination};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let response = process.exec("echo 'Hello'").await?;
//! println!("{}", response.artifacts.stdout);
//!
//! let response = process.exec("ls").cwd("workspace/src").env("K", "V").await?;
//! println!("{:?}: {}", response.exit_code, response.result);
//!
//! let response = process.exec("sleep 10").timeout(Duration::from_secs(5)).await?;
//! assert_eq!(response.termination, Termination::TimedOut);
//!
//! let response = process.exec("make").split_output().await?;
//! eprintln!("{}", response.stderr.unwrap_or_default());
//! # Ok(())
//! # }
//! ```
//!
//! The command's input is empty. A child that it leaves behind delays nothing with this project's daemon; with Daytona's, one
//! that holds the output does.
//!
//! # While it runs
//!
//! An *extension*: what a command writes comes as it is written, both outputs apart, and it can be fed and signaled.
//!
//! ```no_run
//! use sandbox_process::{Channel, ExecEvent, Process};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let mut stream = process.exec("read name; echo hello $name").with_input().kill_on_drop().stream().await?;
//! stream.write("you\n").await?;
//! stream.close_input().await?;
//! while let Some(event) = stream.next().await {
//!     match event? {
//!         ExecEvent::Output { channel: Channel::Stdout, bytes, .. } => println!("{bytes:?}"),
//!         ExecEvent::Output { bytes, .. } => eprintln!("{bytes:?}"),
//!         ExecEvent::Ended { termination } => println!("exit code {:?}", termination.exit_code()),
//!         _ => {}
//!     }
//! }
//!
//! let output = process.exec("tar c .").stream().await?.wait().await?;
//! println!("{} bytes", output.stdout.len());
//! # Ok(())
//! # }
//! ```
//!
//! [`ExecStream`](crate::ExecStream) is a `Stream` too, and [`into_io`](crate::ExecStream::into_io) makes it an `AsyncRead` and
//! an `AsyncWrite`:
//!
//! ```no_run
//! use sandbox_process::Process;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # async fn example(process: Process) -> Result<(), Box<dyn std::error::Error>> {
//! let (mut output, mut input) = process.exec("sort").with_input().stream().await?.into_io();
//! input.write_all(b"b\na\n").await?;
//! input.shutdown().await?;
//! let mut sorted = String::new();
//! output.read_to_string(&mut sorted).await?;
//! # Ok(())
//! # }
//! ```
