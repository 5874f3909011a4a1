//! The charts that code run in a sandbox shows, as typed Rust values.
#![forbid(unsafe_code)]
