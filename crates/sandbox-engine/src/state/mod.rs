//! The files of an engine: in one private directory, accessed by a descriptor and never by a path that others can change.
//!
//! The directory may vanish at any time, with `rm -rf /tmp/*` or a cleaner of temporary files; it is created again on next
//! use. It is locked for the lifetime of this process. One that is not locked belonged to a process that was killed:
//! the next engine in the same place ends the processes which that engine had started, and removes its files.

mod abandoned;
mod directory;
mod notes;
mod owner;
mod place;
mod removal;
mod scratch;
mod storage;
#[cfg(test)]
mod tests;

pub(crate) use notes::Note;
pub use removal::remove_tree;
pub(crate) use scratch::{Scratch, ScratchDirectory, ScratchEntry};
pub(crate) use storage::State;
