//! Operations over WebSockets.

pub(crate) mod exec;
pub(crate) mod follow;
pub(crate) mod handshake;
pub(crate) mod interpreter;
pub(crate) mod log;
pub(crate) mod pty;
pub(crate) mod socket;
mod window;
