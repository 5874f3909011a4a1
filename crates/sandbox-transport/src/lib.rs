//! The client side of the sandbox daemon's wire.
#![forbid(unsafe_code)]
