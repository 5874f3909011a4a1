//! What comes back as streams.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::api::ApiFuture;
use crate::model::{Display, PtySize, Signal, Termination};
use crate::{Delivery, Error, ErrorKind};
use bytes::Bytes;
use futures_core::Stream;
use sandbox_logcodec::Channel;

/// Events as they come.
///
/// # A slow consumer
///
/// What was read and not taken waits in a buffer of at most [`limits::STREAM_BUFFER_BYTES`](crate::limits): a slow consumer
/// makes the daemon wait, not this program's memory grow. While there is room, pings of the daemon are answered at once,
/// whether anything is taken or not. A ping behind a full buffer cannot be seen, as it comes in the same stream as what fills
/// it; so while the buffer is full, a pong that nobody asked for goes out every 10 s as a sign of life. A daemon may give up
/// on a client that takes nothing for long all the same (this project's does after 60 s). A log goes on from there; any other
/// stream ends with an error.
///
/// # Ends
///
/// After an error or the last event there is nothing more. A stream that ends without its last event does so with an
/// error: silence is never success. Dropping a stream closes its connection, and changes nothing of what runs.
pub struct EventStream<T>(Option<Events<T>>);

/// Dropped at its end.
type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>;

/// A log. Ends (`None`) where the log does, or where its session is deleted; an error says that something may be missing.
///
/// After a cut it connects again and goes on where it was, so that every byte comes once: by offset where the daemon has
/// those, otherwise by reading the log from its beginning again, leaving out what came before, and checking that it is the
/// same. Where that cannot be done any more (the log is gone, or is not the same), the error says so.
pub type LogStream = EventStream<LogEvent>;

/// A run in an interpreter. The last event is [`Ended`](InterpreterEvent::Ended).
pub type InterpreterStream = EventStream<InterpreterEvent>;

impl<T> EventStream<T> {
    /// Events from wherever they come. After its end or an error it is dropped.
    pub fn new(events: impl Stream<Item = Result<T, Error>> + Send + 'static) -> Self {
        Self(Some(Box::pin(events)))
    }

    /// The next event; `None` behind the last one.
    ///
    /// # Errors
    ///
    /// Whatever cut the stream off; it has ended then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<T> Stream for EventStream<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(events) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let next = events.as_mut().poll_next(context);
        if let Poll::Ready(None | Some(Err(_))) = next {
            self.0 = None;
        }
        next
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").finish_non_exhaustive()
    }
}

/// What comes of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEvent {
    /// The command wrote something.
    Output {
        /// Where to.
        channel: Channel,
        /// How many bytes of output, of both channels, come before; gaps count.
        offset: u64,
        /// What; not empty.
        bytes: Bytes,
    },
    /// It had written something that the daemon no longer has.
    Gap {
        /// Where it was.
        offset: u64,
        /// How many bytes it was.
        length: u64,
    },
}

/// What comes of a command that is followed while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecEvent {
    /// The command wrote something.
    Output {
        /// Where to.
        channel: Channel,
        /// How many bytes of output, of both channels, come before; gaps count.
        offset: u64,
        /// What; not empty.
        bytes: Bytes,
    },
    /// It had written something that the daemon no longer has.
    Gap {
        /// Where it was.
        offset: u64,
        /// How many bytes it was.
        length: u64,
    },
    /// Input or a signal was not taken, as when the command has ended.
    Refused {
        /// The daemon's machine-readable reason.
        code: String,
        /// Why, for people.
        message: String,
    },
    /// The command ended, and all that it wrote came before. The last event.
    Ended {
        /// How.
        termination: Termination,
    },
}

impl From<LogEvent> for ExecEvent {
    fn from(event: LogEvent) -> Self {
        match event {
            LogEvent::Output {
                channel,
                offset,
                bytes,
            } => Self::Output {
                channel,
                offset,
                bytes,
            },
            LogEvent::Gap { offset, length } => Self::Gap { offset, length },
        }
    }
}

/// What comes of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PtyEvent {
    /// It shows something.
    Output {
        /// What; not empty.
        bytes: Bytes,
    },
    /// It had shown something that the daemon no longer has.
    Gap {
        /// How many bytes it was.
        length: u64,
    },
    /// Its shell ended, and all that it showed came before. The last event.
    Exited {
        /// Its exit code; 128 + n after signal n. `None` if the daemon did not say.
        exit_code: Option<i32>,
        /// For people; often absent.
        reason: Option<String>,
    },
}

/// What comes of a run in an interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InterpreterEvent {
    /// The code wrote something.
    Output {
        /// Where to.
        channel: Channel,
        /// What; not empty. Text over HTTP, where U+FFFD stands for what is not UTF-8.
        bytes: Bytes,
    },
    /// The code showed a chart. *Extension*, behind the output.
    Chart {
        /// As in the artifacts of a code run; `sandbox-charts` reads it.
        chart: serde_json::Value,
    },
    /// The code's last expression has a value. *Extension*, after the output.
    Display(Display),
    /// Nothing caught an error. At most one, behind the output.
    Error {
        /// Its type, such as `ValueError`.
        name: String,
        /// What it says.
        value: String,
        /// Where it came from, as the language prints it, over several lines.
        traceback: String,
    },
    /// The run is over. The last event.
    Ended {
        /// How.
        outcome: InterpreterOutcome,
    },
}

/// How a run in an interpreter can end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InterpreterOutcome {
    /// The code came to its end. Whether it failed is told by [`InterpreterEvent::Error`].
    Completed,
    /// It was interrupted.
    Interrupted,
    /// Its time limit ran out.
    TimedOut,
    /// Its worker ended, or its context was deleted, as `reason` tells for people. What was set there is lost.
    WorkerEnded {
        /// What the daemon says; may be empty.
        reason: String,
    },
}

/// A connection to a command that runs.
///
/// Dropping `events` closes the connection: the command finds the end of its input and runs on, unless it is to be
/// [killed](crate::ExecStreamRequest::kill_on_drop).
#[derive(Debug)]
pub struct ExecConnection {
    /// What comes of it, to [`ExecEvent::Ended`].
    pub events: EventStream<ExecEvent>,
    /// What can be told to it.
    pub control: Arc<dyn ExecControl>,
    /// The command's process id on the daemon's machine, if that says.
    pub pid: Option<u32>,
}

/// What can be told to a command that runs.
///
/// Each method resolves when what it was given is on its way; what the daemon refuses after that comes as
/// [`ExecEvent::Refused`].
///
/// Input is given, and its end, in the order of the calls. Signals and sizes overtake it: they do not wait for the command to
/// read.
///
/// Errors: [`ErrorKind::Closed`](crate::ErrorKind::Closed) when the connection has ended, not sent if
/// [`Error::delivery`] says so.
pub trait ExecControl: fmt::Debug + Send + Sync {
    /// Gives it input. Waits for as long as the daemon takes none.
    ///
    /// Not cancel safe: dropped while it waits, a beginning of the bytes may have been given.
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()>;

    /// Ends its input, after what was given. On a terminal that is the character which ends the input there (Ctrl-D).
    fn close_input(&self) -> ApiFuture<'_, ()>;

    /// Signals all its processes.
    fn signal(&self, signal: Signal) -> ApiFuture<'_, ()>;

    /// Sets the size of its [terminal](crate::ExecRequest::tty), each side 1 to 1000; its foreground processes are sent `WINCH`. One
    /// without a terminal is not resized, which comes as [`ExecEvent::Refused`].
    ///
    /// The default is an error of kind [`Unsupported`](crate::ErrorKind::Unsupported).
    fn resize(&self, size: PtySize) -> ApiFuture<'_, ()> {
        let _ = size;
        let message = "this connection has no operation 'resize'";
        let error = Error::new(ErrorKind::Unsupported, Delivery::NotSent, message);
        Box::pin(std::future::ready(Err(error)))
    }
}

/// A connection to a terminal.
///
/// Dropping `events` closes the connection: the terminal stays as it is.
#[derive(Debug)]
pub struct PtyConnection {
    /// The terminal's id.
    pub id: String,
    /// How many bytes it had shown before what comes here, where that is known: for a terminal that was made with this
    /// connection, and one that was connected to at an [offset](crate::PtyAttachRequest::offset). Adding what comes gives the
    /// offset to connect at again.
    pub offset: Option<u64>,
    /// What comes of it, to [`PtyEvent::Exited`].
    pub events: EventStream<PtyEvent>,
    /// What can be told to it. Its size is set and it is ended by its id.
    pub control: Arc<dyn PtyControl>,
}

/// What can be told to a terminal that one is connected to.
pub trait PtyControl: fmt::Debug + Send + Sync {
    /// Types. Resolves when the bytes are on their way; long input travels in pieces, in order.
    ///
    /// Errors and cancel safety are as for [`ExecControl::write`].
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()>;
}
