//! The daemon that runs commands and code inside a sandbox.
#![forbid(unsafe_code)]
