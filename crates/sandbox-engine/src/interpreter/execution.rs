//! One piece of code in a context: what it writes, what it shows, how it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::record::Record;
use crate::termination::Termination;

/// A piece of code that runs in a context, or waits for its turn. Cheap to clone; all clones are one execution.
///
/// Dropping it changes nothing: the code runs on, to its end or its time limit.
#[derive(Debug, Clone)]
pub struct Execution {
    record: Record,
    ended: Arc<watch::Sender<Option<Arc<Ended>>>>,
}

/// How an execution ended, with all that is known of it but what it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// The exception that nothing caught; `None` also for an exit that the code asked for (`sys.exit()`).
    pub failure: Option<Failure>,
    /// The value of the last expression, in all its forms, the smallest first; empty if there is none, or nobody asked.
    pub value: Vec<Form>,
    /// The charts that were shown, one JSON object each.
    pub charts: Vec<Bytes>,
    /// Charts that were too large to keep.
    pub charts_dropped: usize,
}

/// The ways in which an execution ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// By itself, also with an exception.
    Completed,
    /// Somebody asked for it: [`Context::interrupt`](super::Context::interrupt). What it had set is still there.
    Interrupted,
    /// Its time limit ran out.
    TimedOut {
        /// The limit.
        limit: Duration,
        /// Whether the context still has its state. If not, the code did not heed the interrupt and was ended with the
        /// context's worker.
        keeps_state: bool,
    },
    /// The context's worker ended meanwhile, by what the code did or from outside, and the state with it. The next
    /// execution finds a new worker.
    WorkerEnded {
        /// How the worker ended.
        termination: Termination,
    },
    /// The context was restarted meanwhile.
    Restarted,
    /// The context was deleted, before or while it ran, or the engine was shut down.
    Deleted,
    /// It was not run, since no worker could be started.
    NotStarted {
        /// Why, for people.
        reason: String,
    },
}

/// An exception that nothing caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its type, such as `ValueError`.
    pub name: String,
    /// What it says.
    pub value: String,
    /// Where it came from, over several lines.
    pub traceback: String,
}

/// One form of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Its media type, such as `text/html`; of the value's own choosing.
    pub media_type: String,
    /// The content, or its length in bytes if it was too large: all forms together have 16 MiB.
    pub content: Result<Bytes, u64>,
}

impl Execution {
    pub(super) fn new(record: Record) -> Self {
        Self {
            record,
            ended: Arc::new(watch::Sender::new(None)),
        }
    }

    /// What it writes. Complete when it has ended.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Resolves when it has ended, to how.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the code runs on.
    pub async fn ended(&self) -> Arc<Ended> {
        let mut ended = self.ended.subscribe();
        loop {
            if let Some(ended) = &*ended.borrow_and_update() {
                return Arc::clone(ended);
            }
            if ended.changed().await.is_err() {
                unreachable!("the execution holds the sender");
            }
        }
    }

    /// Ends it, before followers of the record see its end. An execution ends once; what comes later changes nothing.
    pub(super) fn set_ended(&self, ended: Ended) {
        let is_first = self.ended.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert_with(|| Arc::new(ended));
            is_first
        });
        if is_first {
            self.record.complete();
        }
    }
}

impl Ended {
    pub(super) fn just(ending: Ending) -> Self {
        Self {
            ending,
            failure: None,
            value: Vec::new(),
            charts: Vec::new(),
            charts_dropped: 0,
        }
    }
}
