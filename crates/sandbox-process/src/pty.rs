//! Terminals.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use sandbox_transport::{
    Error, EventStream, ProcessApi, PtyAttachRequest, PtyConnection, PtyControl, PtyEvent,
    PtyRequest, PtySize,
};

use crate::io::{Input, Output};
use crate::{OutputHandler, Process, PtySessionInfo};

/// Terminals.
///
/// A terminal has a login shell and stays until that ends, whoever is connected.
///
/// # Errors
///
/// Each method here fails with [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a terminal that is not there, and with
/// whatever keeps an answer from coming.
impl Process {
    /// Makes a terminal under an id of the caller's choice and connects to it: `await` what this returns.
    pub fn create_pty_session(&self, id: impl Into<String>) -> CreatePty<'_> {
        CreatePty {
            process: self,
            request: PtyRequest {
                id: id.into(),
                size: Some(PtySize::default()),
                ..PtyRequest::default()
            },
        }
    }

    /// Connects to a terminal. What it showed before comes first, where the daemon keeps that.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when it is not there.
    pub async fn connect_pty_session(&self, id: &str) -> Result<PtyHandle, Error> {
        self.attach_pty_session(PtyAttachRequest::new(id)).await
    }

    /// Connects to a terminal in a certain way: from an offset on, or only to watch. *Extensions* of this project's daemon.
    ///
    /// # Errors
    ///
    /// Those of [`connect_pty_session`](Self::connect_pty_session).
    pub async fn attach_pty_session(&self, request: PtyAttachRequest) -> Result<PtyHandle, Error> {
        let connection = self.ready().await?.connect_pty(request).await?;
        Ok(PtyHandle::new(Arc::clone(self.api()), connection))
    }

    /// Lists the terminals.
    ///
    /// # Errors
    ///
    /// Whatever keeps an answer from coming.
    pub async fn list_pty_sessions(&self) -> Result<Vec<PtySessionInfo>, Error> {
        self.ready().await?.list_ptys().await
    }

    /// Tells about a terminal.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when it is not there.
    pub async fn get_pty_session_info(&self, id: &str) -> Result<PtySessionInfo, Error> {
        self.ready().await?.pty_info(id).await
    }

    /// Ends a terminal with everything that runs in it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when it is not there.
    pub async fn kill_pty_session(&self, id: &str) -> Result<(), Error> {
        self.ready().await?.delete_pty(id).await
    }

    /// Sets the size of a terminal, for all who are connected to it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when it has ended.
    pub async fn resize_pty_session(
        &self,
        id: &str,
        size: PtySize,
    ) -> Result<PtySessionInfo, Error> {
        self.ready().await?.resize_pty(id, size).await
    }
}

/// A terminal to make; `await` it.
///
/// # Cancel safety
///
/// Nothing happens before it is awaited. Dropped while awaited, the terminal may or may not have been made.
///
/// # Errors
///
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when there is one with this id.
#[derive(Debug, Clone)]
#[must_use = "nothing is made before it is awaited"]
pub struct CreatePty<'a> {
    process: &'a Process,
    request: PtyRequest,
}

impl CreatePty<'_> {
    /// Starts its shell in this directory. Default: the daemon's.
    pub fn cwd(mut self, cwd: impl Into<String>) -> Self {
        self.request.cwd = Some(cwd.into());
        self
    }

    /// Sets a variable on top of the daemon's environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.env.insert(name.into(), value.into());
        self
    }

    /// Sets these variables on top of the daemon's environment.
    pub fn envs(mut self, envs: BTreeMap<String, String>) -> Self {
        self.request.env.extend(envs);
        self
    }

    /// Makes it as large. Default: 24 lines of 80.
    pub fn pty_size(mut self, size: PtySize) -> Self {
        self.request.size = Some(size);
        self
    }

    /// Makes it without connecting to it, and gives its id.
    ///
    /// # Errors
    ///
    /// Those of making it by awaiting.
    pub async fn detached(self) -> Result<String, Error> {
        self.process.ready().await?.create_pty(self.request).await
    }
}

impl<'a> IntoFuture for CreatePty<'a> {
    type Output = Result<PtyHandle, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let connection = self.process.ready().await?.open_pty(self.request).await?;
            Ok(PtyHandle::new(Arc::clone(self.process.api()), connection))
        })
    }
}

/// A connection to a terminal: a [`Stream`] of what comes of it, gaps and the exit among it.
///
/// Dropping it disconnects: the terminal stays, and can be connected to again.
#[derive(Debug)]
pub struct PtyHandle {
    api: Arc<dyn ProcessApi>,
    id: String,
    control: Arc<dyn PtyControl>,
    /// Gone with the connection.
    events: Option<EventStream<PtyEvent>>,
    /// How many bytes the terminal showed before what is read next, where that is known.
    offset: Option<u64>,
    state: State,
}

#[derive(Debug, Clone, Default)]
enum State {
    #[default]
    Connected,
    Exited {
        exit_code: Option<i32>,
        reason: Option<String>,
    },
    Disconnected,
}

/// How a terminal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PtyResult {
    /// The exit code of its shell; 128 + n after signal n, `None` when nobody knows it.
    pub exit_code: Option<i32>,
    /// Why, for people; often absent.
    pub error: Option<String>,
}

impl PtyHandle {
    fn new(api: Arc<dyn ProcessApi>, connection: PtyConnection) -> Self {
        Self {
            api,
            id: connection.id,
            control: connection.control,
            events: Some(connection.events),
            offset: connection.offset,
            state: State::Connected,
        }
    }

    /// The terminal's id.
    pub fn session_id(&self) -> &str {
        &self.id
    }

    /// Whether the connection stands: neither has the shell ended, nor was it disconnected or cut, as far as what was
    /// [read](Self::next) tells.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// The exit code of the shell, once what was [read](Self::next) has told it.
    pub fn exit_code(&self) -> Option<i32> {
        match self.state {
            State::Exited { exit_code, .. } => exit_code,
            State::Connected | State::Disconnected => None,
        }
    }

    /// How many bytes the terminal showed before what is read next, where that is known: for one that was made with this
    /// connection, or connected to [at an offset](PtyAttachRequest::offset). Connecting at it again goes on without a gap or
    /// anything twice. *Extension* of this project's daemon.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// Why the shell ended, for people, once what was read has told it.
    pub fn error(&self) -> Option<&str> {
        match &self.state {
            State::Exited { reason, .. } => reason.as_deref(),
            State::Connected | State::Disconnected => None,
        }
    }

    /// Resolves when the daemon has said that this client is connected, which is before there is a handle. Here for those who
    /// know the method from the official SDKs.
    ///
    /// # Errors
    ///
    /// None.
    #[expect(clippy::unused_async, reason = "as in the official SDKs")]
    pub async fn wait_for_connection(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Types. Resolves when the bytes are on their way; they arrive in order.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, a beginning of the bytes may have been typed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) when the connection has ended.
    pub async fn send_input(&self, data: impl Into<Bytes>) -> Result<(), Error> {
        self.control.write(data.into()).await
    }

    /// Sets the terminal's size.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when it has ended.
    pub async fn resize(&self, size: PtySize) -> Result<PtySessionInfo, Error> {
        self.api.resize_pty(&self.id, size).await
    }

    /// Ends the terminal with everything that runs in it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when it has ended already.
    pub async fn kill(&self) -> Result<(), Error> {
        self.api.delete_pty(&self.id).await
    }

    /// What types into the terminal, to be used beside the reading of it.
    pub fn input(&self) -> Arc<dyn PtyControl> {
        Arc::clone(&self.control)
    }

    /// What the terminal shows next; `None` when its shell has ended, which [`exit_code`](Self::exit_code) tells, and after
    /// [`disconnect`](Self::disconnect).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is lost.
    ///
    /// # Errors
    ///
    /// What cut the connection off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        // What it no longer has is passed over: a program that draws will draw again.
        while let Some(event) = poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await {
            if let PtyEvent::Output { bytes } = event? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Reads to the end of the shell, and hands what the terminal shows to `on_data`: a closure that returns nothing or a
    /// future.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it hands nothing over any more, and can be called again.
    ///
    /// # Errors
    ///
    /// What cut the connection off.
    pub async fn wait<Kind>(
        &mut self,
        mut on_data: impl OutputHandler<Kind, Bytes>,
    ) -> Result<PtyResult, Error> {
        while let Some(bytes) = self.next().await? {
            on_data.hand_over(bytes).await;
        }
        Ok(PtyResult {
            exit_code: self.exit_code(),
            error: self.error().map(str::to_owned),
        })
    }

    /// The connection as a reader of what the terminal shows and a writer that types. The reader comes to its end with the
    /// shell; how that ended is not told then.
    pub fn into_io(self) -> (Output, Input) {
        let shown = self.events.map(|events| {
            Output::new(events, |event| match event {
                PtyEvent::Output { bytes } => Some(Ok(bytes)),
                _ => None,
            })
        });
        let control = self.control;
        let input = Input::new(move |bytes| {
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
            PtyEvent::Exited { exit_code, reason } => {
                // Of a transport that takes -1 for one.
                let exit_code = exit_code.filter(|code| *code >= 0);
                let reason = reason.clone();
                self.state = State::Exited { exit_code, reason };
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
        // Behind the exit comes nothing, whatever becomes of the connection.
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
