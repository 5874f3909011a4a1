//! The facade against the daemon, on every carrier.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod charts;
mod code;
mod conformance;
mod errors;
mod examples;
mod exec;
mod facade;
mod recorded;
mod tls;
