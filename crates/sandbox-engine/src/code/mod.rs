//! Programs that the runtime of their language runs.
//!
//! `programs.rs` chooses how: `python.rs`, `node.rs`, or `script.rs` for all others. `place.rs` and `local.rs` are for
//! the files that Node.js finds in the working directory; `compiler.rs` sends to a translator what `task.rs` and
//! `typescript/` do there.

#[cfg(feature = "typescript")]
mod cell;
#[cfg(feature = "typescript")]
mod compiler;
mod json;
#[cfg(feature = "typescript")]
mod local;
mod node;
mod place;
mod program;
mod programs;
mod python;
mod script;
#[cfg(feature = "typescript")]
pub(crate) mod task;
#[cfg(feature = "typescript")]
mod translated;
#[cfg(feature = "typescript")]
mod typescript;

#[cfg(feature = "typescript")]
pub(crate) use self::compiler::cell;
pub use self::program::{CodeError, Language, Program};
pub(crate) use self::programs::Programs;
#[cfg(feature = "typescript")]
pub(crate) use self::typescript::{NAME as TYPESCRIPT_NAME, helpers as typescript_helpers};
pub use crate::runtimes::RuntimeError;
