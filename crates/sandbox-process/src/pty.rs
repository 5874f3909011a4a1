//! Terminals.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use sandbox_transport::{
    Error, Isolation, PtyAttachRequest, PtyInfo, PtyRequest, PtySize, ResourceLimits,
};

use crate::client::{Client, directory};
use crate::pty_handle::{PtyHandle, checked, resize};

/// A terminal: a handle by its id.
///
/// A terminal has a login shell and exists until that ends, whether a client is attached or not. Any number of clients may be
/// attached: all see everything, and all may type.
///
/// The handle is cheap to clone. Dropping it changes nothing; [`kill`](Self::kill) ends the terminal.
///
/// # Examples
///
/// ```no_run
/// use sandbox_process::PtySize;
///
/// # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
/// let mut handle = process.create_pty("work").size(PtySize::new(40, 150).unwrap()).await?;
/// handle.write("make\n").await?;
/// handle.disconnect();
///
/// let pty = process.pty("work");
/// println!("{}x{}", pty.info().await?.cols, pty.info().await?.rows);
/// let mut handle = pty.attach().await?;
/// while let Some(bytes) = handle.next().await? {
///     print!("{}", String::from_utf8_lossy(&bytes));
/// }
/// println!("{:?}", handle.exit_code());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Pty {
    client: Client,
    id: Arc<str>,
}

impl Pty {
    pub(crate) fn new(client: Client, id: &str) -> Self {
        Self {
            client,
            id: id.into(),
        }
    }

    /// Returns the id of the terminal.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the terminal's size, working directory and state.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the terminal does not exist.
    #[doc(alias = "get_pty_session_info")]
    pub async fn info(&self) -> Result<PtyInfo, Error> {
        self.client.ready().await?.pty_info(&self.id).await
    }

    /// Returns a connection to the terminal, to be made: await it. What the terminal showed before comes first, if the daemon
    /// retains it; [`Attach`] has other ways.
    #[doc(alias = "connect_pty_session")]
    pub fn attach(&self) -> Attach {
        Attach {
            pty: self.clone(),
            request: PtyAttachRequest::new(&*self.id),
        }
    }

    /// Sets the size of the terminal, for all clients. Returns what [`info`](Self::info) does.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the size may or may not be set.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`InvalidInput`](crate::ErrorKind::InvalidInput) if a side is not 1 to 1000; its source is an
    /// [`InvalidPtySize`](crate::InvalidPtySize). Returns one of kind [`NotFound`](crate::ErrorKind::NotFound) if the terminal does
    /// not exist, and of kind [`Conflict`](crate::ErrorKind::Conflict) if its shell has ended.
    #[doc(alias = "resize_pty_session")]
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
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the terminal does not exist, as after its shell's
    /// end.
    #[doc(alias = "kill_pty_session")]
    pub async fn kill(&self) -> Result<(), Error> {
        self.client.ready().await?.delete_pty(&self.id).await
    }
}

/// A terminal to create and connect to; made by [`Process::create_pty`](crate::Process::create_pty). Await it: the result is a
/// [`PtyHandle`].
///
/// # Cancel safety
///
/// If the future is dropped after it was polled, the terminal may or may not exist.
///
/// # Errors
///
/// Returns an error of kind [`Conflict`](crate::ErrorKind::Conflict) if the id is in use, and of kind
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) if the id is empty or an option is not valid.
#[derive(Debug, Clone)]
#[must_use = "nothing is created before it is awaited"]
pub struct CreatePty {
    client: Client,
    id: String,
    cwd: Option<PathBuf>,
    env: BTreeMap<String, String>,
    size: PtySize,
    limits: ResourceLimits,
    isolation: Option<Isolation>,
}

impl CreatePty {
    pub(crate) fn new(client: Client, id: String) -> Self {
        Self {
            client,
            id,
            cwd: None,
            env: BTreeMap::new(),
            size: PtySize::default(),
            limits: ResourceLimits::default(),
            isolation: None,
        }
    }

    cwd_option!(cwd);
    env_options!(env);
    limit_options!(limits);
    isolation_option!(isolation);

    /// Sets the size of the terminal. Default: 24 lines of 80 characters. A side that is not 1 to 1000 is an error of kind
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when the builder is awaited.
    #[doc(alias = "pty_size")]
    pub fn size(mut self, size: PtySize) -> Self {
        self.size = size;
        self
    }

    /// Creates the terminal without connecting to it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the terminal may or may not exist.
    ///
    /// # Errors
    ///
    /// Those of [`CreatePty`].
    pub async fn detached(self) -> Result<Pty, Error> {
        let request = self.request()?;
        let id = self.client.ready().await?.create_pty(request).await?;
        Ok(Pty::new(self.client, &id))
    }

    async fn connected(self) -> Result<PtyHandle, Error> {
        let request = self.request()?;
        let connection = self.client.ready().await?.open_pty(request).await?;
        Ok(PtyHandle::new(self.client, connection))
    }

    fn request(&self) -> Result<PtyRequest, Error> {
        Ok(PtyRequest {
            limits: self.limits,
            id: self.id.clone(),
            cwd: directory(self.cwd.as_deref())?,
            env: self.env.clone(),
            size: Some(checked(self.size)?),
            isolation: self.isolation.clone(),
            ..PtyRequest::default()
        })
    }
}

impl IntoFuture for CreatePty {
    type Output = Result<PtyHandle, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.connected())
    }
}

/// A connection to a terminal to make; made by [`Pty::attach`]. Await it: the result is a [`PtyHandle`].
///
/// # Cancel safety
///
/// Cancel safe: nothing changes.
///
/// # Errors
///
/// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the terminal does not exist, and of kind
/// [`Unsupported`](crate::ErrorKind::Unsupported) for an option that the daemon does not have.
#[derive(Debug, Clone)]
#[must_use = "nothing is connected before it is awaited"]
pub struct Attach {
    pty: Pty,
    request: PtyAttachRequest,
}

impl Attach {
    /// Begins at this offset, such as [`PtyHandle::offset`] returned: bytes that the terminal showed before. *Extension*.
    pub fn offset(mut self, bytes: u64) -> Self {
        self.request = self.request.offset(bytes);
        self
    }

    /// Watches only: what is typed by this connection is ignored. *Extension*.
    pub fn read_only(mut self) -> Self {
        self.request = self.request.read_only();
        self
    }
}

impl IntoFuture for Attach {
    type Output = Result<PtyHandle, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let api = self.pty.client.ready().await?;
            let connection = api.connect_pty(self.request).await?;
            Ok(PtyHandle::new(self.pty.client, connection))
        })
    }
}
