//! Files of a sandbox.

mod changes;
mod handle;
mod reader;
#[cfg(all(unix, not(sandbox_portable)))]
mod transfer;
#[cfg(all(unix, not(sandbox_portable)))]
mod tree;
mod writer;

pub use self::handle::Files;
pub use self::reader::FileReader;
#[cfg(all(unix, not(sandbox_portable)))]
pub use self::transfer::Transfer;
pub use self::writer::FileWriter;
