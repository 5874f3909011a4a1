//! The output of a command: append-only, with any number of independent readers.
//!
//! A [`Record`] only grows. Every reader has its own [`Cursor`], is woken when there is more, and never delays the writer or
//! another reader. Offsets count payload bytes of both channels together, from 0.
//!
//! The newest [`RECORD_MEMORY_BYTES`](crate::limits::RECORD_MEMORY_BYTES) are in memory; older ones go to a file, up to
//! [`RECORD_SPILL_BYTES`](crate::limits::RECORD_SPILL_BYTES) or as far as the disk has room. What lies between is dropped, and
//! reported as a [`Piece::Gap`].

mod budget;
mod cursor;
mod handle;
mod log;
mod piece;
mod spill;
mod spool;
mod store;
#[cfg(test)]
mod tests;

pub use cursor::Cursor;
pub(crate) use handle::WeakRecord;
pub use handle::{BeyondEnd, Record};
pub use piece::Piece;
pub(crate) use store::Store;
