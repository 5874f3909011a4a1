//! The same without `async`, for programs that have no runtime.
//!
//! A [`Process`] here has a runtime of its own, in which the calling thread waits. Handles and builders have the names of those of
//! [the crate](crate), whose documentation applies; where one is awaited there, a method waits here:
//!
//! | async | blocking |
//! |---|---|
//! | `process.exec("ls").await` | `process.exec("ls").run()` |
//! | `process.command("ls").spawn().await` | `process.command("ls").spawn().start()` |
//! | `session.run("ls").await`, `session.spawn("make").await` | `session.run("ls").run()`, `session.spawn("make").start()` |
//! | `process.create_pty("t").await`, `pty.attach().await` | `process.create_pty("t").create()`, `pty.attach().connect()` |
//! | `process.create_context(..).await`, `context.run("1").await` | `process.create_context(..).create()`, `context.run("1").run()` |
//! | `sandboxes.create().await`, `sandboxes.list().await` | `sandboxes.create().create()`, `sandboxes.list().list()` |
//! | `files.upload("a", "b").await` | `files.upload("a", "b").run()` |
//! | `while let Some(event) = running.next().await` | `for event in &mut running` |
//! | `AsyncRead`, `AsyncWrite` | [`Read`](std::io::Read), [`Write`](std::io::Write), by [`Streaming`] |
//!
//! ```no_run
//! use sandbox_process::blocking::Process;
//!
//! # fn main() -> Result<(), sandbox_process::Error> {
//! let process = Process::connect("http://127.0.0.1:2280")?;
//! let outcome = process.exec("ls").cwd("src").run()?;
//! println!("{}", outcome.stdout_lossy());
//!
//! let session = process.create_session("work")?;
//! session.run("cd /tmp").run()?;
//!
//! let mut make = process.command("make").spawn().kill_on_drop().start()?;
//! for event in &mut make {
//!     println!("{:?}", event?);
//! }
//! println!("{:?}", make.wait()?.exit_code());
//! # Ok(())
//! # }
//! ```
//!
//! # Panics
//!
//! Within an async runtime, every method that waits panics: a thread of the runtime must not block. Use [`crate::Process`] there.
//! Dropping handles never panics.

#[macro_use]
mod waiting;
#[macro_use]
mod builder;

mod background;
mod context;
mod exec;
mod files;
mod process;
mod pty;
mod running;
mod sandboxes;
mod sdk;
mod session;
mod streaming;

pub use background::BackgroundCommand;
pub use context::{Context, CreateContext, RunCode, RunningCode};
pub use exec::{CodeRun, Command, Exec, Spawn};
pub use files::Files;
#[cfg(all(unix, not(sandbox_portable)))]
pub use files::Transfer;
pub use process::Process;
pub use pty::{Attach, CreatePty, Pty, PtyHandle};
pub use running::Running;
pub use sandboxes::{CreateSandbox, ListSandboxes, Sandbox, Sandboxes};
pub use session::{CreateSession, Session, SessionCommand, SessionRun, SessionSpawn};
pub use streaming::Streaming;
