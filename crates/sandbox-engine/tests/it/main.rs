//! The engine, without a socket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod descriptors;
mod edges;
mod exec;
mod guard;
mod helper;
mod interpreter;
mod isolation;
mod languages;
mod life;
#[cfg(feature = "typescript")]
mod nesting;
mod node;
mod oom;
mod pty;
mod python;
mod reaper;
mod resources;
mod session;
mod terminal;
mod tree;
mod warm;
