//! The facade against the daemon, on every carrier.

mod charts;
mod code;
mod errors;
mod exec;
