//! A command that runs.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use sandbox_logcodec::Channel;
use sandbox_transport::{
    Collected, Delivery, Error, ErrorKind, EventStream, ExecConnection, ExecControl, ExecEvent,
    IsolationLevel, PtySize, Signal, Termination, Usage,
};

use crate::client::Client;
use crate::io::{InputWriter, OutputReader, gap};
use crate::kill::KillOnDrop;
use crate::next::next;
use crate::outcome::Outcome;

/// A command that runs: a handle by which its output is read, and by which it is sent input and signals.
///
/// It is a [`Stream`] of events: output of both channels in the order in which the daemon read it, gaps, refused input, and the
/// end. A command whose output is not read is blocked once the buffers between it and this program are full, as one that
/// writes to a pipe is.
///
/// Dropping it closes the connection. The command then finds the end of its input and runs on, unless it is to be
/// [killed](crate::Spawn::kill_on_drop).
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "embedded")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sandbox_process::Process;
/// use tokio::io::AsyncWriteExt;
///
/// let process = Process::local().await?;
/// let mut sort = process.command("sort").spawn().piped_stdin().kill_on_drop().await?;
/// let mut stdin = sort.stdin().expect("it is piped");
/// stdin.write_all(b"b\na\n").await?;
/// stdin.shutdown().await?;
/// assert_eq!(sort.wait().await?.stdout, "a\nb\n");
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "embedded"))]
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct Running {
    /// Before the client, which may be what keeps the daemon.
    kill: KillOnDrop,
    events: EventStream<ExecEvent>,
    control: Arc<dyn ExecControl>,
    stdin: Option<InputWriter>,
    pid: Option<u32>,
    isolation_level: Option<IsolationLevel>,
    output: Collected,
    end: Option<Termination>,
    usage: Option<Usage>,
    #[expect(dead_code, reason = "an embedded daemon ends with the last handle")]
    client: Client,
}

impl Running {
    pub(crate) fn new(
        client: Client,
        connection: ExecConnection,
        has_stdin: bool,
        kill_on_drop: bool,
    ) -> Self {
        let ExecConnection {
            events,
            control,
            pid,
            isolation_level,
        } = connection;
        Self {
            kill: KillOnDrop::new(&client, pid.filter(|_| kill_on_drop)),
            events,
            stdin: has_stdin.then(|| stdin(&control)),
            control,
            pid,
            isolation_level,
            output: Collected::new(),
            end: None,
            usage: None,
            client,
        }
    }

    /// Returns the process id of the command on the daemon's machine, if the daemon reports it.
    pub fn id(&self) -> Option<u32> {
        self.pid
    }

    /// Returns how strongly the command is isolated, if the daemon reports it. *Extension*.
    pub fn isolation_level(&self) -> Option<IsolationLevel> {
        self.isolation_level
    }

    /// Takes the command's standard input; `None` if it is not [piped](crate::Spawn::piped_stdin), or was taken before.
    ///
    /// Shutting it down or dropping it ends the input. Input that the command no longer takes comes as
    /// [`ExecEvent::Refused`].
    pub fn stdin(&mut self) -> Option<InputWriter> {
        self.stdin.take()
    }

    /// Returns the next event; `None` after the command's end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Closed`](ErrorKind::Closed) or [`Protocol`](ErrorKind::Protocol) if the connection ended before
    /// the command did; what became of the command is not known then.
    pub async fn next(&mut self) -> Option<Result<ExecEvent, Error>> {
        next(self).await
    }

    /// Waits for the command's end, and returns its outcome with the output that was not read by [`next`](Self::next) before.
    ///
    /// Standard input that was not [taken](Self::stdin) is closed first, as [`std::process::Child::wait`] does. Of an output beyond
    /// 64 MiB, the first and the last 32 MiB are returned.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: output that was read before the future was dropped is returned by the next call.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next).
    pub async fn wait(&mut self) -> Result<Outcome, Error> {
        drop(self.stdin.take());
        while let Some(event) = self.next().await {
            match event? {
                ExecEvent::Output { channel, bytes, .. } => self.output.push(channel, &bytes),
                ExecEvent::Gap { length, .. } => self.output.skip(length),
                _ => {}
            }
        }
        let end = self.end.clone().ok_or_else(missing_end)?;
        let output = std::mem::take(&mut self.output);
        Ok(Outcome::new(output.output(), end).with_usage(self.usage))
    }

    /// Passes the output to `on_output` as it arrives, until the command's end, and returns how it ended. The next piece is read
    /// when the future that `on_output` returns has completed. Gaps are left out.
    ///
    /// A closure may borrow what it changes. In a task that is spawned, the compiler accepts only closures that own what they
    /// capture (`async move`).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the piece that `on_output` was called with last may be lost; it can be called again.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
    /// let mut make = process.command("make").arg("-j8").spawn().await?;
    /// let mut count = 0;
    /// let end = make
    ///     .wait_with(async |channel, bytes| {
    ///         count += bytes.len();
    ///         println!("{channel}: {}", String::from_utf8_lossy(&bytes));
    ///     })
    ///     .await?;
    /// println!("{count} bytes, exit code {:?}", end.exit_code());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_with(
        &mut self,
        mut on_output: impl AsyncFnMut(Channel, Bytes),
    ) -> Result<Termination, Error> {
        drop(self.stdin.take());
        while let Some(event) = self.next().await {
            if let ExecEvent::Output { channel, bytes, .. } = event? {
                on_output(channel, bytes).await;
            }
        }
        self.end.clone().ok_or_else(missing_end)
    }

    /// Sends a signal to all processes of the command.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the signal may or may not be sent.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Closed`](ErrorKind::Closed) if the connection has ended. A signal that the daemon refuses, as
    /// after the command's end, comes as [`ExecEvent::Refused`].
    pub async fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.control.signal(signal).await
    }

    /// Sets the size of the command's [terminal](crate::Spawn::tty), each side 1 to 1000. Programs on it are sent `WINCH` if the size
    /// is another one.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the size may or may not be set.
    ///
    /// # Errors
    ///
    /// Those of [`signal`](Self::signal). A size that no terminal has, and any size of a command without a terminal, come as
    /// [`ExecEvent::Refused`].
    pub async fn resize(&self, size: PtySize) -> Result<(), Error> {
        self.control.resize(size).await
    }

    /// Kills the command with all its processes. [`wait`](Self::wait) returns the outcome.
    ///
    /// # Cancel safety
    ///
    /// As for [`signal`](Self::signal).
    ///
    /// # Errors
    ///
    /// Those of [`signal`](Self::signal).
    pub async fn kill(&self) -> Result<(), Error> {
        self.signal(Signal::KILL).await
    }

    /// Returns what controls the command, for use while another task reads its output.
    pub fn control(&self) -> Arc<dyn ExecControl> {
        Arc::clone(&self.control)
    }

    /// Splits it into a reader of its output, both channels together, and a writer of its input. How the command ended is
    /// not reported then.
    ///
    /// Bytes that the daemon no longer has are an error of one read, of kind
    /// [`InvalidData`](std::io::ErrorKind::InvalidData); the next read continues after them. Dropping the reader is what dropping
    /// the handle is. Input of a command whose standard input is not [piped](crate::Spawn::piped_stdin) is refused.
    pub fn into_io(mut self) -> (OutputReader, InputWriter) {
        let stdin = self.stdin.take().unwrap_or_else(|| stdin(&self.control));
        let output = OutputReader::new(self, |event| match event {
            ExecEvent::Output { bytes, .. } => Some(Ok(bytes)),
            ExecEvent::Gap { length, .. } => Some(Err(gap(length))),
            _ => None,
        });
        (output, stdin)
    }
}

fn stdin(control: &Arc<dyn ExecControl>) -> InputWriter {
    let (write, close) = (Arc::clone(control), Arc::clone(control));
    InputWriter::new(move |bytes| {
        let control = Arc::clone(&write);
        Box::pin(async move { control.write(bytes).await })
    })
    .ending_with(Box::pin(async move { close.close_input().await }))
}

impl Stream for Running {
    type Item = Result<ExecEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // After the end nothing matters, not even an error of the connection.
        if self.end.is_some() {
            return Poll::Ready(None);
        }
        let next = Pin::new(&mut self.events).poll_next(context);
        if let Poll::Ready(Some(Ok(ExecEvent::Ended { termination, usage }))) = &next {
            self.end = Some(termination.clone());
            self.usage = *usage;
            // Its process id may be another process's from here on.
            self.kill.forget();
        }
        next
    }
}

/// Returns the error of a stream that ended without its last event. Transports report a cut as an error of theirs.
pub(crate) fn missing_end() -> Error {
    let message = "the stream ended without reporting how the run ended";
    Error::new(ErrorKind::Protocol, Delivery::Uncertain, message)
}
