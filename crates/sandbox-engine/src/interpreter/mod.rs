//! Interpreter contexts: a persistent process that runs one piece of code after another in one namespace.
//!
//! `contexts.rs` and `list.rs` have the contexts of an engine, `handle.rs` the handle of one, `shared.rs` what the
//! handles share with the task that owns the context. `actor.rs` is that task, `worker.rs` its process, `program.rs`
//! the program of that (`python/worker.py`, `node/worker/`), `spare.rs` one that is started before it is needed, `protocol.rs` the messages between the two, `execution.rs`
//! one piece of code.

mod actor;
mod contexts;
mod error;
pub(crate) mod execution;
mod handle;
mod list;
mod options;
mod program;
pub(crate) mod protocol;
mod shared;
mod spare;
mod worker;

pub use contexts::Contexts;
pub use error::{CreateContextError, ExecuteError, StartError};
pub use execution::{Ended, Ending, Execution, Failure, Form};
pub use handle::Context;
pub use options::{ContextOptions, ExecuteOptions};
