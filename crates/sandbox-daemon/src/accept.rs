//! Accepts connections for as long as a server serves.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::connection::Connection;
use crate::limits::{ACCEPT_PAUSE, ACCEPT_REPORT};
use crate::link::Link;
use crate::listener::Listener;
use crate::router::Router;
use crate::service::is_shortage;
use crate::slots::Slots;

/// The state of a server that its accept loop and every connection share.
#[derive(Debug)]
pub(crate) struct Accept<'a> {
    pub(crate) listener: &'a Listener,
    pub(crate) router: &'a Arc<Router>,
    pub(crate) slots: Slots,
    pub(crate) shutdown: &'a watch::Sender<bool>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::Tls>,
}

impl Accept<'_> {
    /// Accepts connections and serves each in a task of its own; never completes.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection that was accepted and has no slot yet is closed.
    pub(crate) async fn run(&self) {
        let mut failures = Failures::default();
        loop {
            match self.listener.accept().await {
                Ok((socket, source)) => {
                    // Nothing more is accepted while this waits: connections beyond the slots stay
                    // in the kernel's queue.
                    let slot = self.slots.enter(source).await;
                    let connection = Connection {
                        socket,
                        router: Arc::clone(self.router),
                        link: Link::new(self.shutdown.subscribe(), slot),
                        #[cfg(feature = "tls")]
                        tls: self.tls.clone(),
                    };
                    tokio::spawn(connection.serve());
                }
                Err(error) => {
                    // The client closed this connection before it was accepted.
                    if error.kind() == io::ErrorKind::ConnectionAborted {
                        continue;
                    }
                    let is_shortage = is_shortage(&error);
                    // The system looks for a free descriptor before it looks for a connection.
                    if !is_shortage || self.listener.has_waiting() {
                        failures.report(&error);
                        // An unadmitted connection holds a descriptor that another connection could use.
                        if is_shortage {
                            self.slots.evict();
                        }
                    }
                    // The error remains until something is closed: without a pause, the loop would
                    // use a whole core.
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Failures to accept a connection, which are logged at most once per interval.
#[derive(Debug, Default)]
struct Failures {
    reported: Option<Instant>,
    /// The number of failures since the last report.
    silent: u64,
}

impl Failures {
    fn report(&mut self, error: &io::Error) {
        if self.is_due(Instant::now(), ACCEPT_REPORT) {
            let silent = std::mem::take(&mut self.silent);
            tracing::warn!(%error, silent, "cannot accept a connection");
        } else {
            self.silent += 1;
        }
    }

    /// Returns whether the last report is older than `interval`, and if so sets its time to `now`.
    fn is_due(&mut self, now: Instant, interval: Duration) -> bool {
        let is_due = self.reported.is_none_or(|at| now - at >= interval);
        if is_due {
            self.reported = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_shortage_is_reported_now_and_then() {
        let mut failures = Failures::default();
        let begin = Instant::now();
        let due: Vec<_> = (0..250)
            .map(|n| failures.is_due(begin + n * ACCEPT_PAUSE, ACCEPT_REPORT))
            .collect();
        assert_eq!(due.iter().filter(|due| **due).count(), 3);
        assert!(due[0]);
    }
}
