//! What goes over WebSockets.

mod events;
pub(crate) mod exec;
pub(crate) mod follow;
mod handshake;
pub(crate) mod interpreter;
mod log;
pub(crate) mod pty;
mod socket;

pub(crate) use events::{Source, event_stream};
pub(crate) use handshake::Opened;
pub(crate) use socket::{End, Frame, Incoming, Outgoing, Socket};
