//! WebSockets: the handshake, and sockets that only send.

pub(crate) mod handshake;
mod socket;

pub(crate) use handshake::{Upgrade, is_upgrade, offered};
pub(crate) use socket::{
    Close, Socket, Source, close_code_of, close_frame, closed, pings, send_all, send_ready,
};
