//! What travels between a sandbox daemon and its clients: bodies, frames and error codes.
#![forbid(unsafe_code)]
