//! What everything that runs on a terminal has in common: the terminals that clients share, and commands of their own.
//!
//! `console.rs` is the near end of a terminal: what is read from it, and what waits to be typed into it (`typing.rs`).
//! `environment.rs` is what programs on a terminal expect of their environment.

mod console;
mod environment;
mod size;
mod typing;

pub(crate) use console::Console;
pub(crate) use environment::{DEFAULT_TERM, TERM, adapt};
pub use size::{InvalidPtySize, PtySize};
pub(crate) use typing::Typed;
