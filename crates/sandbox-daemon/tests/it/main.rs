//! The daemon over its sockets: the doors, the recorded exchanges, bad input, the end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod archives;
mod bad_files;
mod binary;
mod client;
mod doors;
mod edges;
mod files;
mod fs;
mod gaps;
#[cfg(feature = "grpc")]
mod grpc;
mod interpreter;
mod killed;
mod live;
mod memory;
mod once;
mod ports;
mod pty;
mod recorded;
mod robust;
mod sessions;
mod socket;
mod soft;
mod strangers;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod websocket;
