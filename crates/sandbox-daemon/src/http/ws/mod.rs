//! WebSockets: the handshake, and what both sides send after it.

pub(crate) mod handshake;
mod socket;

pub(crate) use handshake::{Upgrade, is_upgrade, offered};
pub(crate) use socket::{Close, Duplex, Receive, Source, json};
