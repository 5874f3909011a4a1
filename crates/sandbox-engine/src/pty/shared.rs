//! State that the handles and the task of a terminal share.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use sandbox_logcodec::Channel;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::boundary::Boundaries;
use super::pace::Readers;
use crate::isolation::Isolation;
use crate::outputs::Screen;
use crate::record::Record;
use crate::resources::{Limits, Usage};
use crate::sync::lock;
use crate::terminal::{PtySize, Typed};
use crate::termination::Termination;

/// State that the handles and the task of a terminal share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) id: String,
    pub(super) cwd: PathBuf,
    pub(super) env: Vec<(String, String)>,
    pub(super) isolation: Option<Isolation>,
    pub(super) limits: Limits,
    pub(super) created_at: SystemTime,
    pub(super) size: Mutex<PtySize>,
    pub(super) state: watch::Sender<PtyState>,
    /// Set before the end.
    pub(super) usage: OnceLock<Usage>,
    pub(super) record: Record,
    pub(super) boundaries: Mutex<Boundaries>,
    /// The offset up to which a client that types has read, so that queries before it have been shown.
    pub(super) asked: AtomicU64,
    pub(super) readers: Readers,
    pub(super) requests: mpsc::Sender<Request>,
    /// The receiver for the task; `None` after the task has taken it.
    pub(super) not_started: tokio::sync::Mutex<Option<mpsc::Receiver<Request>>>,
    /// Cancelled when the terminal is to be deleted.
    pub(super) doomed: CancellationToken,
}

/// A request to the task that owns a terminal.
#[derive(Debug)]
pub(super) enum Request {
    Type(Typed),
    Resize {
        size: PtySize,
        reply: oneshot::Sender<io::Result<()>>,
    },
}

/// The state of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PtyState {
    /// The shell waits for [`Ptys::start`](super::Ptys::start).
    Waiting,
    /// The shell runs.
    Running,
    /// The shell has ended, and all its output can be read.
    Ended(Termination),
}

impl Screen for Shared {
    fn show(&self, bytes: Bytes) {
        self.record.append(Channel::Stdout, bytes.clone());
        let mut boundaries = self.boundaries();
        boundaries.push(&bytes);
        boundaries.forget_before(self.record.memory_begin());
    }
}

impl Shared {
    pub(super) fn size(&self) -> MutexGuard<'_, PtySize> {
        lock(&self.size)
    }

    pub(super) fn boundaries(&self) -> MutexGuard<'_, Boundaries> {
        lock(&self.boundaries)
    }

    /// Returns a place at or after `offset` where the output may be cut.
    pub(super) fn boundary_from(&self, offset: u64) -> u64 {
        match offset {
            0 => 0,
            _ => self.boundaries().first_from(offset),
        }
    }
}
