//! What goes over WebSockets.

pub(crate) mod exec;
pub(crate) mod follow;
pub(crate) mod handshake;
pub(crate) mod interpreter;
pub(crate) mod log;
pub(crate) mod pty;
mod socket;

use crate::source::{Source, event_stream};
pub(crate) use handshake::Opened;
pub(crate) use socket::{End, Frame, Incoming, Outgoing, Socket};
