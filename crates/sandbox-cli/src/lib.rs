//! Those parts of the `sandbox` command that read what untrusted programs make, for its tests and fuzz targets.
//!
//! The command is the product of this crate: nothing here is stable.

#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
pub mod picture;
