//! Results and errors.
//!
//! A non-zero exit code, a death by signal, a limit of time or of memory that ran out and a start that failed are results:
//! see [`Termination`](crate::Termination). An [`Error`](crate::Error) says that there is no result, what
//! [kind](crate::Error::kind) of failure that is, and whether the daemon [may have carried it out](crate::Error::delivery).
//!
//! ```no_run
//! use sandbox_process::{Delivery, ErrorKind, Process, Termination};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! match process.exec("make").await {
//!     Ok(response) => match response.termination {
//!         Termination::Exited { code } => println!("exit code {code}"),
//!         Termination::Signaled { signal } => println!("signal {signal}"),
//!         Termination::TimedOut => println!("out of time, having written {}", response.result),
//!         Termination::OutOfMemory => println!("out of memory"),
//!         Termination::NotStarted { reason } => println!("not started: {reason}"),
//!         _ => println!("nobody knows"),
//!     },
//!     Err(error) if error.is_unauthorized() => println!("another token is needed"),
//!     Err(error) if error.delivery() == Delivery::NotSent => println!("it may be tried again: {error}"),
//!     Err(error) => println!("{error} ({:?})", error.request_id()),
//! }
//!
//! match process.create_session("work").await {
//!     Err(error) if error.kind() == ErrorKind::Conflict => println!("it is there"),
//!     other => other?,
//! }
//! # Ok(())
//! # }
//! ```
//!
//! An exit code that nobody knows is `None`, never 0; and a stream that ends without telling the end is an error.
//!
//! # Dropping, and giving up
//!
//! - A future that was not awaited has done nothing. Dropping one that is awaited stops the waiting and nothing else: the daemon
//!   does what it was told to. Each method says what [cancel safety](crate::Exec#cancel-safety) it has.
//! - Dropping a stream or a [`PtyHandle`](crate::PtyHandle) closes its connection: what runs goes on, but for a command that is to
//!   be [killed](crate::Exec::kill_on_drop) then.
//! - The embedded daemon ends with the last clone of its process; what it runs is killed then.
//!
//! ```no_run
//! use std::time::Duration;
//! use sandbox_process::Process;
//!
//! # async fn example(process: Process) -> Result<(), Box<dyn std::error::Error>> {
//! let stream = process.exec("make").kill_on_drop().stream().await?;
//! // Should the time run out, the stream is dropped, and the command ended.
//! let output = tokio::time::timeout(Duration::from_secs(60), stream.wait()).await??;
//! println!("{:?}", output.exit_code);
//! # Ok(())
//! # }
//! ```
