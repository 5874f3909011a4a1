//! A piece of code in a context: its output, its value, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::record::Record;
use crate::resources::Usage;
use crate::termination::Termination;

/// A piece of code that runs in a context, or waits for its turn. Cheap to clone; all clones refer to one execution.
///
/// Dropping it changes nothing: the code continues to its end or its time limit.
#[derive(Debug, Clone)]
pub struct Execution {
    record: Record,
    ended: Arc<watch::Sender<Option<Arc<Ended>>>>,
}

/// The result of an execution, except its output.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// How the execution ended.
    pub ending: Ending,
    /// The uncaught exception; `None` also for an exit that the code requested (`sys.exit()`).
    pub failure: Option<Failure>,
    /// The value of the last expression, in all its forms, the smallest first; empty if there is none or it was not
    /// requested.
    pub value: Vec<Form>,
    /// The charts that were shown, one JSON object each.
    pub charts: Vec<Bytes>,
    /// The number of charts that were too large to retain.
    pub charts_dropped: usize,
    /// What the code has used; `None` if it is not known, as for code that never ran.
    pub usage: Option<Usage>,
}

/// The ways in which an execution ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The code ended by itself, with or without an exception.
    Completed,
    /// A client interrupted the code: [`Context::interrupt`](super::Context::interrupt). What it had set remains.
    Interrupted,
    /// The time limit expired.
    TimedOut {
        /// The limit.
        limit: Duration,
        /// Whether the context still has its state. If not, the code did not react to the interrupt and was ended with
        /// the context's worker.
        keeps_state: bool,
    },
    /// The context's worker ended meanwhile, by the code or from outside, and the state with it. The next execution
    /// runs in a new worker.
    WorkerEnded {
        /// How the worker ended.
        termination: Termination,
    },
    /// The context was restarted meanwhile.
    Restarted,
    /// The context was deleted, before or while it ran, or the engine was shut down.
    Deleted,
    /// The code was not run, since no worker could be started.
    NotStarted {
        /// The reason, for display.
        reason: String,
    },
}

/// An exception that was not caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The type of the exception, such as `ValueError`.
    pub name: String,
    /// The message of the exception.
    pub value: String,
    /// The traceback, over several lines.
    pub traceback: String,
}

/// One form of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The media type, such as `text/html`; chosen by the value.
    pub media_type: String,
    /// The content, or its length in bytes if it was too large: all forms together have at most 16 MiB.
    pub content: Result<Bytes, u64>,
}

impl Execution {
    pub(super) fn new(record: Record) -> Self {
        Self {
            record,
            ended: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Returns the record of the output. It is complete when the execution has ended.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Waits until the execution has ended, and returns how.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the code continues.
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

    /// Ends the execution, before followers of the record see its end. Only the first call has an effect.
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
    /// Returns how the code ended, in the terms of a program that consists of it: 1 is the exit code of an uncaught exception, and
    /// an interrupt is a death by INT. A context that was restarted or deleted meanwhile is [`Lost`](Termination::Lost).
    pub fn termination(&self) -> Termination {
        let lost = |reason: &str| Termination::Lost {
            reason: reason.to_owned(),
        };
        match &self.ending {
            Ending::Completed => Termination::Exited {
                code: i32::from(self.failure.is_some()),
            },
            Ending::Interrupted => Termination::Signaled {
                signal: libc::SIGINT,
                core_dumped: false,
            },
            Ending::TimedOut { limit, .. } => Termination::TimedOut { limit: *limit },
            Ending::WorkerEnded { termination } => termination.clone(),
            Ending::Restarted => lost("the context was restarted"),
            Ending::Deleted => lost("the context was deleted"),
            Ending::NotStarted { reason } => Termination::NotStarted {
                reason: reason.clone(),
            },
        }
    }

    pub(super) fn just(ending: Ending) -> Self {
        Self {
            ending,
            failure: None,
            value: Vec::new(),
            charts: Vec::new(),
            charts_dropped: 0,
            usage: None,
        }
    }
}
