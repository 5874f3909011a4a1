//! A connection to a terminal.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use sandbox_transport::{
    Error, EventStream, PtyConnection, PtyControl, PtyEvent, PtyInfo, PtySize, Termination, Usage,
};

use crate::client::{Client, invalid};
use crate::io::{InputWriter, OutputReader};
use crate::next::next;

/// A connection to a terminal: a handle by which it is read and typed into.
///
/// It is a [`Stream`] of events: what the terminal shows, gaps, and the end of its shell.
///
/// Dropping it disconnects: the terminal and what runs in it stay, and can be [attached](crate::Pty::attach) to again.
#[derive(Debug)]
pub struct PtyHandle {
    client: Client,
    id: String,
    control: Arc<dyn PtyControl>,
    /// `None` once disconnected.
    events: Option<EventStream<PtyEvent>>,
    /// How many bytes the terminal showed before what is read next, if that is known.
    offset: Option<u64>,
    state: State,
}

#[derive(Debug, Clone, Default)]
enum State {
    #[default]
    Connected,
    Exited(PtyResult),
    Disconnected,
}

/// How a terminal ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PtyResult {
    /// The exit code of its shell, or 128 + n after signal n; `None` if it is not known.
    pub exit_code: Option<i32>,
    /// The reason, for people; often absent.
    pub error: Option<String>,
    /// How the shell ended, a limit that ended it included; what the exit code stands for with stock daemons.
    pub termination: Termination,
    /// *Extension*: what the shell has used, with all that it waited for; `None` with stock daemons.
    pub usage: Option<Usage>,
}

impl PtyHandle {
    pub(crate) fn new(client: Client, connection: PtyConnection) -> Self {
        Self {
            client,
            id: connection.id,
            control: connection.control,
            events: Some(connection.events),
            offset: connection.offset,
            state: State::Connected,
        }
    }

    /// Returns the id of the terminal.
    #[doc(alias = "session_id")]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns whether the connection is open: neither has the shell ended, nor was it disconnected or cut, as far as it was
    /// [read](Self::next).
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// Returns the exit code of the shell, once its end was [read](Self::next).
    pub fn exit_code(&self) -> Option<i32> {
        match &self.state {
            State::Exited(result) => result.exit_code,
            State::Connected | State::Disconnected => None,
        }
    }

    /// Returns the reason of the shell's end, for people, once its end was [read](Self::next) and if there is one.
    pub fn error(&self) -> Option<&str> {
        match &self.state {
            State::Exited(result) => result.error.as_deref(),
            State::Connected | State::Disconnected => None,
        }
    }

    /// Returns how many bytes the terminal showed before what is read next, if that is known: for a terminal that was created by
    /// this connection, and one that was attached to [at an offset](crate::Attach::offset). Attaching at it again continues
    /// without a gap and without repeating anything. *Extension* of this project's daemon.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// Types bytes. Resolves when they are on their way; they arrive in order.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if the future is dropped while it waits, a part of the bytes may have been typed.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Closed`](crate::ErrorKind::Closed) if the connection has ended.
    #[doc(alias = "send_input")]
    pub async fn write(&self, bytes: impl Into<Bytes>) -> Result<(), Error> {
        self.control.write(bytes.into()).await
    }

    /// Sets the size of the terminal, for all clients.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the size may or may not be set.
    ///
    /// # Errors
    ///
    /// Those of [`Pty::resize`](crate::Pty::resize).
    pub async fn resize(&self, size: PtySize) -> Result<PtyInfo, Error> {
        resize(&self.client, &self.id, size).await
    }

    /// Kills the terminal with everything that runs in it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the terminal may or may not be killed.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the terminal has ended already.
    pub async fn kill(&self) -> Result<(), Error> {
        self.client.ready().await?.delete_pty(&self.id).await
    }

    /// Returns what types into the terminal, for use while another task reads it.
    pub fn input(&self) -> Arc<dyn PtyControl> {
        Arc::clone(&self.control)
    }

    /// Returns what the terminal shows next; `None` after the end of its shell, of which [`exit_code`](Self::exit_code) is known
    /// then, and after [`disconnect`](Self::disconnect). Gaps are passed over: a program that draws will draw again.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is lost.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Closed`](crate::ErrorKind::Closed) or [`Protocol`](crate::ErrorKind::Protocol) if the connection
    /// was cut.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(event) = next(self).await {
            if let PtyEvent::Output { bytes } = event? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Passes what the terminal shows to `on_data`, until the end of its shell, and returns how it ended. The next piece is read
    /// when the future that `on_data` returns has completed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the piece that `on_data` was called with last may be lost; it can be called again.
    ///
    /// # Errors
    ///
    /// Those of [`next`](Self::next).
    pub async fn wait_with(
        &mut self,
        mut on_data: impl AsyncFnMut(Bytes),
    ) -> Result<PtyResult, Error> {
        while let Some(bytes) = self.next().await? {
            on_data(bytes).await;
        }
        Ok(self.result())
    }

    /// Returns how the terminal ended, as far as it was read.
    pub(crate) fn result(&self) -> PtyResult {
        match &self.state {
            State::Exited(result) => result.clone(),
            State::Connected | State::Disconnected => PtyResult::default(),
        }
    }

    /// Splits the connection into a reader of what the terminal shows and a writer that types. The reader ends with the shell;
    /// how that ended is not reported then. Dropping the reader disconnects.
    pub fn into_io(self) -> (OutputReader, InputWriter) {
        let shown = self.events.map(|events| {
            OutputReader::new(events, |event| match event {
                PtyEvent::Output { bytes } => Some(Ok(bytes)),
                _ => None,
            })
        });
        let control = self.control;
        let input = InputWriter::new(move |bytes| {
            let control = Arc::clone(&control);
            Box::pin(async move { control.write(bytes).await })
        });
        (shown.unwrap_or_default(), input)
    }

    /// Disconnects; the terminal stays.
    pub fn disconnect(&mut self) {
        if self.is_connected() {
            self.state = State::Disconnected;
            self.events = None;
        }
    }

    fn note(&mut self, event: &PtyEvent) {
        let length = match event {
            PtyEvent::Output { bytes } => bytes.len() as u64,
            PtyEvent::Gap { length } => *length,
            PtyEvent::Exited {
                exit_code,
                reason,
                termination,
                usage,
            } => {
                self.state = State::Exited(PtyResult {
                    // A transport may pass on the -1 that stock daemons send in place of one.
                    exit_code: exit_code.filter(|code| *code >= 0),
                    error: reason.clone(),
                    termination: termination.clone(),
                    usage: *usage,
                });
                0
            }
            _ => 0,
        };
        self.offset = self.offset.map(|offset| offset.saturating_add(length));
    }
}

impl Stream for PtyHandle {
    type Item = Result<PtyEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // After the exit nothing matters, not even an error of the connection.
        let connected = self.is_connected();
        let Some(events) = self.events.as_mut().filter(|_| connected) else {
            return Poll::Ready(None);
        };
        let next = ready!(Pin::new(events).poll_next(context));
        match &next {
            Some(Ok(event)) => self.note(event),
            Some(Err(_)) | None => self.disconnect(),
        }
        Poll::Ready(next)
    }
}

/// Sets the size of a terminal.
pub(crate) async fn resize(client: &Client, id: &str, size: PtySize) -> Result<PtyInfo, Error> {
    let size = checked(size)?;
    client.ready().await?.resize_pty(id, size).await
}

/// Returns the size if a terminal can have it.
pub(crate) fn checked(size: PtySize) -> Result<PtySize, Error> {
    let invalid = |error| invalid("the size of the terminal is not valid").with_source(error);
    size.check().map_err(invalid)
}
