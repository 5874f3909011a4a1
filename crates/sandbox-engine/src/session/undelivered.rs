//! Signals for a command that has no process at the moment.
//!
//! A session's shell is not a process of its command: a command of builtins has none, and one that has just begun, or
//! changes from one program to the next, has none for a moment. A signal is then sent to the first process that
//! appears.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::command::{SignalError, SignalReply};
use crate::limits::SIGNAL_WAIT;

/// The signals that have found no process, in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Undelivered {
    waiting: Vec<Waiting>,
    next: Option<Instant>,
}

/// A signal that was not delivered. Its sender is waiting for the reply.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) signal: Signal,
    until: Instant,
    reply: SignalReply,
}

impl Undelivered {
    pub(super) fn add(&mut self, signal: Signal, reply: SignalReply) {
        let now = Instant::now();
        self.waiting.push(Waiting {
            signal,
            until: now + SIGNAL_WAIT,
            reply,
        });
        // A stream of signals must not postpone the look for the first of them.
        self.next.get_or_insert(now + LOOK_AGAIN);
    }

    /// Returns when to look for a process again; `None` if no signal is waiting.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Takes the signals that are still to be sent. Those that have waited too long are refused, and those whose sender
    /// no longer waits are dropped.
    pub(super) fn look(&mut self) -> Vec<Waiting> {
        let now = Instant::now();
        self.next = None;
        let (waiting, late): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .filter(|wait| !wait.reply.is_closed())
            .partition(|wait| now < wait.until);
        for wait in late {
            let _ = wait.reply.send(Err(SignalError::NoProcess));
        }
        waiting
    }

    /// Puts back the signals that [`look`](Self::look) has returned and that found no process again.
    pub(super) fn put_back(&mut self, waiting: Vec<Waiting>) {
        self.next = (!waiting.is_empty()).then(|| Instant::now() + LOOK_AGAIN);
        self.waiting = waiting;
    }
}

impl Waiting {
    /// Reports to the sender that the signal was sent.
    pub(super) fn delivered(self) {
        let _ = self.reply.send(Ok(()));
    }
}

/// The interval between two looks for a process.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
