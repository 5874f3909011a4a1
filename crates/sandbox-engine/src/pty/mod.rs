//! Terminals: a login shell on a pseudo-terminal, which any number of clients watch and type into.
//!
//! `ptys.rs` has the terminals of an engine, `handle.rs` the handle of one, `shared.rs` what the handles share with the
//! task that owns the terminal. `actor.rs` is that task: it alone reads and writes the terminal; `start.rs` starts the
//! shell. The output goes to a record that retains the newest bytes, which every client reads at its own pace
//! (`output.rs`); so a slow client does not stall the others, and stalls the shell only if all are slow (`pace.rs`). `input.rs` is a client that types;
//! `boundary.rs` and `queries.rs` find where an output may be cut.

mod actor;
pub(crate) mod boundary;
mod error;
mod handle;
mod input;
mod options;
mod output;
mod pace;
mod ptys;
pub(crate) mod queries;
mod shared;
mod start;

pub use error::{CreatePtyError, ResizePtyError};
pub use handle::Pty;
pub use input::{PtyEnded, PtyInput};
pub use options::PtyOptions;
pub use output::PtyOutput;
pub use ptys::Ptys;
pub use shared::PtyState;
