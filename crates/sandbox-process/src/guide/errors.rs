//! Outcomes and errors.
//!
//! A non-zero exit code, a death by signal, a limit of time or memory that was reached and a failed start are outcomes: see
//! [`Termination`](crate::Termination). An [`Error`](crate::Error) means that there is no outcome. Its
//! [kind](crate::Error::kind) says what failed, and its [delivery](crate::Error::delivery) whether the daemon may have carried the
//! request out.
//!
//! ```no_run
//! use sandbox_process::{Delivery, ErrorKind, Process, Termination};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! match process.exec("make").await {
//!     Ok(outcome) => match &outcome.termination {
//!         Termination::Exited { code } => println!("exit code {code}"),
//!         Termination::Signaled { signal } => println!("signal {signal}"),
//!         Termination::TimedOut => println!("timed out after {}", outcome.stdout_lossy()),
//!         Termination::LimitExceeded { limit } => println!("beyond its limit: {limit}"),
//!         Termination::NotStarted { reason } => println!("not started: {reason}"),
//!         other => println!("{other}"), // every termination can be printed
//!     },
//!     Err(error) if error.is_unauthorized() => println!("another token is needed"),
//!     Err(error) if error.delivery() == Delivery::NotSent => {
//!         println!("it may be retried: {error}");
//!     }
//!     Err(error) => println!("{error} ({:?})", error.request_id()),
//! }
//!
//! match process.create_session("work").await {
//!     Err(error) if error.kind() == ErrorKind::Conflict => println!("the session exists"),
//!     other => drop(other?),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! An exit code that is not known is `None`, never 0. A stream that ends without reporting the end is an error.
//!
//! # Dropping and cancelling
//!
//! - A builder that is not awaited does nothing. Dropping the future of one stops the waiting and nothing else: the daemon
//!   carries the request out. Each method documents its [cancel safety](crate::Exec#cancel-safety).
//! - Dropping a [`Running`](crate::Running) or a [`PtyHandle`](crate::PtyHandle) closes its connection: what runs continues, except
//!   a command that was spawned to be [killed](crate::Spawn::kill_on_drop) then.
//! - Dropping a [`Session`](crate::Session), [`SessionCommand`](crate::SessionCommand), [`Pty`](crate::Pty) or
//!   [`Context`](crate::Context) changes nothing: they are names of what the daemon has.
//! - The embedded daemon ends with the last client and the last handle made by it; what it runs is killed then.
//!
//! ```no_run
//! use std::time::Duration;
//! use sandbox_process::Process;
//!
//! # async fn example(process: Process) -> Result<(), Box<dyn std::error::Error>> {
//! let mut make = process.exec("make").spawn().kill_on_drop().await?;
//! match tokio::time::timeout(Duration::from_secs(60), make.wait()).await {
//!     Ok(outcome) => println!("{:?}", outcome?.exit_code()),
//!     // It still runs, and is killed when `make` is dropped.
//!     Err(_) => println!("it takes too long"),
//! }
//! # Ok(())
//! # }
//! ```
