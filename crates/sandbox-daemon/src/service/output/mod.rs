//! Selects which parts of a record a response contains.

mod parts;
mod stretch;

pub(crate) use parts::Parts;
pub(crate) use stretch::{Form, Stretch};
