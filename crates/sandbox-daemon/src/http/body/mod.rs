//! Request bodies, parsed as liberally as the reference does.

mod object;
pub(crate) mod outline;
mod read;
mod surrogates;

pub(crate) use read::{RequestBody, parse};
pub(super) use read::{check_encoding, collect, discard, parse_apart, read};
pub(crate) use surrogates::mend_surrogates;
