//! One connection of an SSH client: its bounds, and its end.

use std::sync::Arc;
use std::time::Duration;

use russh::server::{Config as Protocol, run_stream};
use sandbox_daemon::doors::{Slot, Stall};
use sandbox_daemon::limits::WRITE_STALL;
use sandbox_provider::Provider;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;

use super::cut::Cut;
use super::handler::Client;
use crate::limits::SSH_IDLE;
use crate::shared::Shared;

/// A connection that was accepted.
pub(super) struct Connection<P> {
    pub(super) shared: Arc<Shared<P>>,
    pub(super) protocol: Arc<Protocol>,
    pub(super) slot: Arc<Slot>,
    pub(super) shutdown: watch::Receiver<bool>,
}

impl<P: Provider> Connection<P> {
    /// Serves the connection until it ends, its token is revoked, its sandbox is deleted, or nothing is open on it for a while.
    pub(super) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let Self {
            shared,
            protocol,
            slot,
            mut shutdown,
        } = self;
        let (close, mut closed) = watch::channel(false);
        let close = Arc::new(close);
        let (open, opened) = watch::channel(0);
        let stream = Cut::new(Stall::new(stream, WRITE_STALL), closed.clone());
        let client = Client::new(
            shared,
            Arc::clone(&slot),
            Arc::clone(&close),
            open,
            shutdown.clone(),
        );
        let session = async { run_stream(protocol, stream, client).await?.await };
        tokio::select! {
            ended = session => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "an SSH connection ended early");
                }
            }
            () = slot.evicted() => tracing::debug!("closed an SSH connection for another one"),
            () = slot.overdue(Duration::ZERO) => tracing::debug!("closed an SSH connection without a token"),
            () = idle(opened) => tracing::debug!("closed an SSH connection with nothing open"),
            _ = closed.wait_for(|is_closed| *is_closed) => {}
            _ = shutdown.wait_for(|is_begun| *is_begun) => {}
        }
        // The protocol runs in a task of its own, which ends with its stream, and each channel in one that ends by this.
        close.send_replace(true);
    }
}

/// Resolves when nothing was open for [`SSH_IDLE`].
async fn idle(mut open: watch::Receiver<usize>) {
    loop {
        if open.wait_for(|count| *count == 0).await.is_err() {
            std::future::pending::<()>().await;
        }
        let opened = open.wait_for(|count| *count > 0);
        if timeout(SSH_IDLE, opened).await.is_err() {
            return;
        }
    }
}
