//! What of a record a response has room for.

mod parts;
mod stretch;

pub(crate) use parts::Parts;
pub(crate) use stretch::{Form, Stretch};
