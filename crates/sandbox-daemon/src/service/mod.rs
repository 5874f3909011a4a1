//! The operations of the daemon over its engine, which both protocols offer.
//!
//! They take and return types of the engine: bytes, durations, times, handles. The encodings as JSON and as protobuf
//! are in `http` and in `grpc`, which are built on this module and do not depend on each other.

pub(crate) mod code;
pub(crate) mod command;
mod error;
pub(crate) mod exec;
mod execs;
pub(crate) mod files;
pub(crate) mod info;
pub(crate) mod interpreter;
pub(crate) mod isolation;
mod keys;
mod leash;
pub(crate) mod output;
pub(crate) mod ports;
pub(crate) mod pty;
mod repeat;
pub(crate) mod session;
mod state;
mod trial;
mod window;

pub use error::chain;
pub(crate) use error::{Error, is_shortage};
pub(crate) use keys::{Bounds, Claim, Keys, Place};
pub(crate) use leash::Leash;
#[cfg(feature = "grpc")]
pub(crate) use repeat::Found;
pub(crate) use state::State;
pub(crate) use window::InputWindow;
