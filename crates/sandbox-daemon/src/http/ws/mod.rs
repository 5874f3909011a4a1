//! WebSockets: the handshake, and the messages of both sides after it.

pub(crate) mod handshake;
mod socket;

pub(crate) use handshake::{Upgrade, is_upgrade, offered};
pub(crate) use socket::{Close, Duplex, Receive, Source, json};
