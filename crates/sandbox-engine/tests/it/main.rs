//! The engine, without a socket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod exec;
mod guard;
mod oom;
mod python;
mod reaper;
mod session;
mod tree;
