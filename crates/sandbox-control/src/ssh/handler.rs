//! What a client asks for on its connection, and which of it is permitted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use russh::server::{Auth, Handler, Msg, Session};
use russh::{Channel, ChannelId, ChannelOpenFailure, Error, Pty, Sig};
use sandbox_daemon::doors::Slot;
use sandbox_provider::{Provider, SandboxId};
use tokio::sync::watch;

use super::access::Entered;
use super::{forward, session};
use crate::limits::SSH_CHANNELS;
use crate::shared::Shared;
use crate::sync::lock;

/// The client of one connection.
pub(super) struct Client<P> {
    shared: Arc<Shared<P>>,
    slot: Arc<Slot>,
    close: Arc<watch::Sender<bool>>,
    open: watch::Sender<usize>,
    entered: Option<Entered>,
    channels: Channels,
    /// Held for as long as the connection lasts.
    _shutdown: watch::Receiver<bool>,
}

/// The channels that have a task, and whether a program was started on each, which is permitted one time.
type Channels = Arc<Mutex<HashMap<ChannelId, bool>>>;

/// What the task of a channel has.
pub(super) struct Place<P> {
    pub(super) shared: Arc<Shared<P>>,
    pub(super) id: SandboxId,
    /// Set when the connection ends.
    closed: watch::Receiver<bool>,
    open: watch::Sender<usize>,
    channel: ChannelId,
    channels: Channels,
}

impl<P> Place<P> {
    /// Resolves when the connection ends.
    pub(super) async fn closed(&self) {
        // A sender that was dropped ends it as well.
        let _ = self.closed.clone().wait_for(|is_closed| *is_closed).await;
    }
}

impl<P> Drop for Place<P> {
    fn drop(&mut self) {
        lock(&self.channels).remove(&self.channel);
        self.open.send_modify(|count| *count -= 1);
    }
}

impl<P: Provider> Client<P> {
    pub(super) fn new(
        shared: Arc<Shared<P>>,
        slot: Arc<Slot>,
        close: Arc<watch::Sender<bool>>,
        open: watch::Sender<usize>,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        Self {
            shared,
            slot,
            close,
            open,
            entered: None,
            channels: Channels::default(),

            _shutdown: shutdown,
        }
    }

    /// Returns the place of a new channel.
    fn place(&self, channel: ChannelId) -> Result<Place<P>, ChannelOpenFailure> {
        let entered = self.entered.as_ref();
        let entered = entered.ok_or(ChannelOpenFailure::AdministrativelyProhibited)?;
        let mut channels = lock(&self.channels);
        if channels.len() >= SSH_CHANNELS {
            return Err(ChannelOpenFailure::ResourceShortage);
        }
        channels.insert(channel, false);
        drop(channels);
        self.open.send_modify(|count| *count += 1);
        Ok(Place {
            shared: Arc::clone(&self.shared),
            id: entered.id().clone(),
            closed: self.close.subscribe(),
            open: self.open.clone(),
            channel,
            channels: Arc::clone(&self.channels),
        })
    }

    /// Returns whether no program was started on a channel yet.
    fn is_early(&self, channel: ChannelId) -> bool {
        lock(&self.channels).get(&channel) == Some(&false)
    }

    /// Permits the first program of a channel.
    fn start(&self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        let mut channels = lock(&self.channels);
        let started = channels.get_mut(&channel);
        let is_permitted = started.is_some_and(|started| !std::mem::replace(started, true));
        drop(channels);
        reply(channel, session, is_permitted)
    }
}

/// The channel's task sees every request of its channel by itself, in order; here the client gets its replies.
impl<P: Provider> Handler for Client<P> {
    type Error = Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Error> {
        let accesses = &self.shared.ssh;
        self.entered = accesses.enter(user, Arc::clone(&self.close));
        if self.entered.is_none() {
            return Ok(Auth::reject());
        }
        self.slot.admit();
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        handle: russh::server::ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Error> {
        match self.place(channel.id()) {
            Ok(place) => {
                handle.accept().await;
                tokio::spawn(session::serve(place, channel, session.handle()));
            }
            Err(refused) => handle.reject(refused).await,
        }
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        handle: russh::server::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        let port = port.filter(|_| is_loopback(host));
        let refused = match port {
            None => Err(ChannelOpenFailure::AdministrativelyProhibited),
            Some(port) => self.place(channel.id()).map(|place| (place, port)),
        };
        match refused {
            Ok((place, port)) => {
                tokio::spawn(forward::serve(place, port, channel, handle));
            }
            Err(refused) => handle.reject(refused).await,
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Error> {
        let is_early = self.is_early(channel);
        reply(channel, session, is_early)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        let is_early = self.is_early(channel);
        reply(channel, session, is_early)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Error> {
        self.start(channel, session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        self.start(channel, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        if name == session::SFTP {
            self.start(channel, session)
        } else {
            reply(channel, session, false)
        }
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        session: &mut Session,
    ) -> Result<(), Error> {
        reply(channel, session, true)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        session: &mut Session,
    ) -> Result<(), Error> {
        reply(channel, session, false)
    }

    async fn agent_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<bool, Error> {
        reply(channel, session, false)?;
        Ok(false)
    }

    async fn signal(&mut self, _: ChannelId, _: Sig, _: &mut Session) -> Result<(), Error> {
        Ok(())
    }
}

fn reply(channel: ChannelId, session: &mut Session, is_done: bool) -> Result<(), Error> {
    if is_done {
        session.channel_success(channel)
    } else {
        session.channel_failure(channel)
    }
}

/// Returns whether a host is the sandbox itself, as a client names it.
fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sandbox_itself_is_forwarded_to() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "0.0.0.0",
            "10.0.0.1",
            "example.com",
            "localhost.x",
            "::",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
