//! Runs commands and code in a sandbox and gives back everything that happened.
#![forbid(unsafe_code)]
