//! Runs commands and code on this machine and keeps what happened.
#![forbid(unsafe_code)]
