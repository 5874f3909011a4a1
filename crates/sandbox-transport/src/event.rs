//! Streams of events, and the connections that they come from.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::api::ApiFuture;
use crate::model::{Display, IsolationLevel, PtySize, Signal, Termination, Usage};
use crate::{Delivery, Error, ErrorKind};
use bytes::Bytes;
use futures_core::Stream;
use sandbox_logcodec::Channel;

/// A stream of events.
///
/// # A slow consumer
///
/// What was read and not taken waits in a buffer of at most [`limits::STREAM_BUFFER_BYTES`](crate::limits): a slow
/// consumer makes the daemon wait, but does not grow this program's memory. While the buffer has room, pings of the
/// daemon get an immediate pong, whether anything is taken or not. A ping that follows what fills the buffer cannot be
/// seen, since it comes in the same stream; so while the buffer is full, an unsolicited pong is sent every 10 s as a
/// sign of life. A daemon may still disconnect a client that takes nothing for long (this project's does after 60 s). A
/// log resumes after that; any other stream ends with an error.
///
/// # Ends
///
/// After an error or the last event, the stream has ended. A stream that ends without its last event does so with an
/// error: silence is never success. Dropping a stream closes its connection, and changes nothing of what runs.
pub struct EventStream<T>(Option<Events<T>>);

/// The underlying stream; dropped at its end.
type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>;

/// A stream of a log. Ends (`None`) where the log does, or where its session is deleted; an error means that something
/// may be missing.
///
/// After a cut it reconnects and resumes where it was, so that every byte comes exactly once: by offset if the daemon
/// has offsets, otherwise by reading the log again from its beginning, leaving out what came before, and checking that
/// it is the same. If that is no longer possible (the log no longer exists, or is not the same), the error says so.
pub type LogStream = EventStream<LogEvent>;

/// A stream of a run in an interpreter. The last event is [`Ended`](InterpreterEvent::Ended).
pub type InterpreterStream = EventStream<InterpreterEvent>;

impl<T> EventStream<T> {
    /// Creates a stream of `events`, which is dropped after its end or an error.
    pub fn new(events: impl Stream<Item = Result<T, Error>> + Send + 'static) -> Self {
        Self(Some(Box::pin(events)))
    }

    /// Returns the next event, or `None` after the last one.
    ///
    /// # Errors
    ///
    /// Returns the error that cut the stream off; the stream has then ended.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no event is lost.
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
            // Its connection is closed at once, and not only when the consumer drops the stream.
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

/// An event of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEvent {
    /// The command wrote something.
    Output {
        /// The output that it was written to.
        channel: Channel,
        /// The number of bytes of output, of both channels, before this; gaps count.
        offset: u64,
        /// The bytes that were written; not empty.
        bytes: Bytes,
    },
    /// The command had written something that the daemon no longer has.
    Gap {
        /// The offset of the gap.
        offset: u64,
        /// The number of bytes that are missing.
        length: u64,
    },
}

/// An event of a command that is followed while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecEvent {
    /// The command wrote something.
    Output {
        /// The output that it was written to.
        channel: Channel,
        /// The number of bytes of output, of both channels, before this; gaps count.
        offset: u64,
        /// The bytes that were written; not empty.
        bytes: Bytes,
    },
    /// The command had written something that the daemon no longer has.
    Gap {
        /// The offset of the gap.
        offset: u64,
        /// The number of bytes that are missing.
        length: u64,
    },
    /// Input or a signal was refused, for example because the command has ended.
    Refused {
        /// The daemon's machine-readable reason.
        code: String,
        /// The reason, for people.
        message: String,
    },
    /// The command ended, and all its output came before. The last event.
    Ended {
        /// How the command ended.
        termination: Termination,
        /// *Extension*: what it has used; `None` if the daemon does not report it.
        usage: Option<Usage>,
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

/// An event of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PtyEvent {
    /// The terminal showed something.
    Output {
        /// The bytes that were shown; not empty.
        bytes: Bytes,
    },
    /// The terminal had shown something that the daemon no longer has.
    Gap {
        /// The number of bytes that are missing.
        length: u64,
    },
    /// The terminal's shell ended, and all its output came before. The last event.
    Exited {
        /// The shell's exit code; 128 + n after signal n. `None` if the daemon did not report it.
        exit_code: Option<i32>,
        /// The reason, for people; often absent.
        reason: Option<String>,
        /// How the shell ended; what the exit code stands for if the daemon reports nothing else.
        termination: Termination,
        /// *Extension*: what the shell has used; `None` if the daemon does not report it.
        usage: Option<Usage>,
    },
}

/// An event of a run in an interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InterpreterEvent {
    /// The code wrote something.
    Output {
        /// The output that it was written to.
        channel: Channel,
        /// The bytes that were written; not empty. Over HTTP this is text, where U+FFFD stands for what is not UTF-8.
        bytes: Bytes,
    },
    /// The code showed a chart. *Extension*, after the output.
    Chart {
        /// The chart, as in the artifacts of a code run; `sandbox-charts` reads it.
        chart: serde_json::Value,
    },
    /// The code's last expression has a value. *Extension*, after the output.
    Display(Display),
    /// The code ended with an error that it did not catch. At most one, after the output.
    Error {
        /// The error's type, such as `ValueError`.
        name: String,
        /// The error's message.
        value: String,
        /// Where the error came from, as the language prints it, over several lines.
        traceback: String,
    },
    /// The run has ended. The last event.
    Ended {
        /// How the run ended.
        outcome: InterpreterOutcome,
        /// *Extension*: how a program that consists of the code would have ended; `None` if the daemon does not report it.
        termination: Option<Termination>,
        /// *Extension*: what the code has used; `None` if the daemon does not report it.
        usage: Option<Usage>,
    },
}

/// How a run in an interpreter can end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InterpreterOutcome {
    /// The code ran to its end. [`InterpreterEvent::Error`] reports whether it failed.
    Completed,
    /// The run was interrupted.
    Interrupted,
    /// The run's time limit ran out.
    TimedOut,
    /// The run's worker ended, or its context was deleted, as `reason` says. The state of the context is lost.
    WorkerEnded {
        /// The daemon's reason, for people; may be empty.
        reason: String,
    },
}

/// A connection to a running command.
///
/// Dropping `events` closes the connection: the command reads the end of its input and runs on, unless it is to be
/// [killed](crate::ExecStreamRequest::kill_on_drop).
#[derive(Debug)]
pub struct ExecConnection {
    /// The command's events, up to [`ExecEvent::Ended`].
    pub events: EventStream<ExecEvent>,
    /// The command's input, signals and size.
    pub control: Arc<dyn ExecControl>,
    /// The command's process id on the daemon's machine, if the daemon reports it.
    pub pid: Option<u32>,
    /// *Extension*: how strongly the command is isolated, if the daemon reports it.
    pub isolation_level: Option<IsolationLevel>,
}

/// A handle that controls a running command.
///
/// Each method resolves when its message is on its way; what the daemon refuses after that comes as
/// [`ExecEvent::Refused`].
///
/// Input and its end are sent in the order of the calls. Signals and sizes overtake them: they do not wait for the
/// command to read.
///
/// Errors: [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the connection has ended; [`Error::delivery`] reports
/// whether anything may have been sent.
pub trait ExecControl: fmt::Debug + Send + Sync {
    /// Writes to the command's standard input. Waits for as long as the daemon takes none.
    ///
    /// This method is not cancel safe: if it is dropped while it waits, a beginning of the bytes may have been sent.
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()>;

    /// Closes the input, after what was written. On a terminal this sends the character that ends the input (Ctrl-D).
    fn close_input(&self) -> ApiFuture<'_, ()>;

    /// Signals all the command's processes.
    fn signal(&self, signal: Signal) -> ApiFuture<'_, ()>;

    /// Sets the size of the command's [terminal](crate::ExecRequest::tty), each side 1 to 1000; its foreground
    /// processes are sent `WINCH`. A command without a terminal is not resized, which comes as [`ExecEvent::Refused`].
    ///
    /// The default implementation returns an error of kind [`Unsupported`](crate::ErrorKind::Unsupported).
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
    /// The number of bytes that the terminal had shown before this connection's output, if that is known: for a
    /// terminal that was created with this connection, or connected to at an [offset](crate::PtyAttachRequest::offset).
    /// Adding the bytes that arrive gives the offset at which to reconnect.
    pub offset: Option<u64>,
    /// The terminal's events, up to [`PtyEvent::Exited`].
    pub events: EventStream<PtyEvent>,
    /// The terminal's input. The terminal is resized and deleted by its id.
    pub control: Arc<dyn PtyControl>,
}

/// A handle that sends input to a terminal.
pub trait PtyControl: fmt::Debug + Send + Sync {
    /// Writes input to the terminal. Resolves when the bytes are on their way; long input is sent in pieces, in order.
    ///
    /// Errors and cancel safety are as for [`ExecControl::write`].
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()>;
}
