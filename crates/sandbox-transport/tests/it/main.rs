//! The carrier against this project's daemon, and against servers that do exactly what a test specifies.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod answers;
mod control;
mod daemon;
mod delivery;
mod fake;
mod files;
mod follow;
#[cfg(feature = "grpc")]
mod grpc;
mod interpreter;
mod proxy;
mod pty;
mod recorded;
mod socket;
mod stock;
#[cfg(feature = "tls")]
mod tls;
