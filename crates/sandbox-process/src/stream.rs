//! Commands that are followed while they run.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use sandbox_logcodec::Channel;
use sandbox_transport::{
    Delivery, Error, ErrorKind, EventStream, ExecConnection, ExecControl, ExecEvent,
    ExecStreamRequest, Signal, Termination,
};

use crate::Exec;
use crate::io::{Input, Output, gap};
use crate::kill::KillOnDrop;

impl Exec<'_> {
    /// Starts the command, and gives it to be followed, fed and signaled while it runs. *Extension* of this project's daemon.
    ///
    /// Both outputs come apart, in the order read. The command's input is empty unless it is to be
    /// [given](Self::with_input).
    ///
    /// Resolves when it runs.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) with other daemons; whatever kept it from being started.
    pub async fn stream(self) -> Result<ExecStream, Error> {
        let (
            ExecConnection {
                events, control, ..
            },
            kill,
        ) = self.connect().await?;
        Ok(ExecStream {
            events,
            control,
            kill,
            end: None,
        })
    }

    /// Starts it, and returns with the connection what kills it.
    pub(crate) async fn connect(self) -> Result<(ExecConnection, KillOnDrop), Error> {
        let request = ExecStreamRequest {
            request: self.request,
            input: self.with_input,
            kill_on_drop: self.kill_on_drop,
        };
        let api = self.process.ready().await?;
        let connection = api.execute_stream(request).await?;
        let pid = connection.pid.filter(|_| self.kill_on_drop);
        Ok((connection, KillOnDrop::new(self.process, pid)))
    }
}

/// A command that runs: a [`Stream`] of what comes of it.
///
/// Dropping it lets the command run on, and ends its input; unless it is to be [killed](Exec::kill_on_drop).
#[derive(Debug)]
pub struct ExecStream {
    /// Dropped before the connection is closed.
    kill: KillOnDrop,
    events: EventStream<ExecEvent>,
    control: Arc<dyn ExecControl>,
    /// What the last event told.
    end: Option<Termination>,
}

/// What a command that was followed did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecOutput {
    /// What it wrote to stdout.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub stderr: Vec<u8>,
    /// Its exit code; `None` when there is none.
    pub exit_code: Option<i32>,
    /// How it ended.
    pub termination: Termination,
    /// Bytes that the daemon no longer had.
    pub dropped_bytes: u64,
}

impl ExecStream {
    /// What comes next; `None` behind the command's end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is lost.
    ///
    /// # Errors
    ///
    /// What cut the connection off; the command runs on.
    pub async fn next(&mut self) -> Option<Result<ExecEvent, Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Gives the command input; waits for as long as it takes none.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, a beginning of the bytes may have been given.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) when the connection has ended. What the command does not take any more
    /// comes as [`ExecEvent::Refused`].
    pub async fn write(&self, bytes: impl Into<Bytes>) -> Result<(), Error> {
        self.control.write(bytes.into()).await
    }

    /// Ends the command's input.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    pub async fn close_input(&self) -> Result<(), Error> {
        self.control.close_input().await
    }

    /// Signals all processes of the command, by a name such as `INT` or a number.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write), and [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a name that is no
    /// signal's.
    pub async fn signal(&self, signal: &str) -> Result<(), Error> {
        self.control.signal(read_signal(signal)?).await
    }

    /// Ends the command with all its processes.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    pub async fn kill(&self) -> Result<(), Error> {
        self.control.signal(Signal::KILL).await
    }

    /// Reads to the command's end, and gives what it wrote that was not read before.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next), and a stream that does not tell the end.
    pub async fn wait(mut self) -> Result<ExecOutput, Error> {
        let mut output = ExecOutput {
            stdout: Vec::new(),
            stderr: Vec::new(),
            exit_code: None,
            termination: Termination::Unknown,
            dropped_bytes: 0,
        };
        while let Some(event) = self.next().await {
            match event? {
                ExecEvent::Output { channel, bytes, .. } => match channel {
                    Channel::Stdout => output.stdout.extend_from_slice(&bytes),
                    Channel::Stderr => output.stderr.extend_from_slice(&bytes),
                },
                ExecEvent::Gap { length, .. } => output.dropped_bytes += length,
                _ => {}
            }
        }
        output.termination = self.end.take().ok_or_else(missing_end)?;
        output.exit_code = output.termination.exit_code();
        Ok(output)
    }

    /// What controls the command, to be used beside the reading of it.
    pub fn control(&self) -> Arc<dyn ExecControl> {
        Arc::clone(&self.control)
    }

    /// The command as a reader of what it writes, both outputs together, and a writer of its input. The reader comes to its
    /// end with the command; how that ended is not told then. Bytes that the daemon no longer had are an error of one read;
    /// the next one goes on behind them. Dropping the reader is what dropping this is.
    pub fn into_io(self) -> (Output, Input) {
        let control = Arc::clone(&self.control);
        let input = Input::new(move |bytes| {
            let control = Arc::clone(&control);
            Box::pin(async move { control.write(bytes).await })
        });
        let control = Arc::clone(&self.control);
        let end = Box::pin(async move { control.close_input().await });
        let written = Output::new(self, |event| match event {
            ExecEvent::Output { bytes, .. } => Some(Ok(bytes)),
            ExecEvent::Gap { length, .. } => Some(Err(gap(length))),
            _ => None,
        });
        (written, input.ending_with(end))
    }
}

impl Stream for ExecStream {
    type Item = Result<ExecEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.events).poll_next(context);
        if let Poll::Ready(Some(Ok(ExecEvent::Ended { termination }))) = &next {
            self.end = Some(termination.clone());
            // What has ended is not killed any more.
            self.kill.forget();
        }
        next
    }
}

/// Reads a signal's name or number.
pub(crate) fn read_signal(text: &str) -> Result<Signal, Error> {
    text.parse()
        .map_err(|error: sandbox_transport::UnknownSignal| {
            Error::new(
                ErrorKind::InvalidInput,
                Delivery::NotSent,
                error.to_string(),
            )
        })
}

/// The error of a stream that ended without its last event. Transports report a cut as an error of theirs.
pub(crate) fn missing_end() -> Error {
    let message = "the stream ended without telling how the run did";
    Error::new(ErrorKind::Protocol, Delivery::Uncertain, message)
}
