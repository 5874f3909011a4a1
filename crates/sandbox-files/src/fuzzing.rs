//! The bodies of the fuzz targets: properties that hold for every archive from clients.
//!
//! Each takes the bytes of a fuzzer and panics where a property is violated. Tests run them on the stable compiler.

pub use crate::archive::fuzzing::archives;
