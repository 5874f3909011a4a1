//! Parts that all programs on a terminal share: shared terminals, and commands with a terminal of their own.
//!
//! `console.rs` is the near end of a terminal: its output, and the input that waits to be typed into it (`typing.rs`).
//! `environment.rs` has the environment that programs on a terminal expect.

mod console;
mod environment;
mod size;
mod typing;

pub(crate) use console::Console;
pub(crate) use environment::{DEFAULT_TERM, TERM, adapt};
pub use size::{InvalidPtySize, PtySize};
pub(crate) use typing::Typed;
