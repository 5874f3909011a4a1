//! Sandboxes of a control plane.

mod address;
mod create;
mod list;
mod sandbox;

use sandbox_transport::{
    CallOptions, ControlPlane, Delivery, Endpoint, Error, ErrorKind, TransportBuilder,
};

pub use address::ControlAddress;
pub use create::CreateSandbox;
pub use list::ListSandboxes;
pub use sandbox::Sandbox;

/// A client of a control plane: creates sandboxes, and finds them again.
///
/// The control plane is that of `sandbox up`, or any other one of Daytona's API. The client is cheap to clone; clones share their
/// connections. Nothing is connected to before the first operation.
///
/// # Examples
///
/// ```no_run
/// use sandbox_process::Sandboxes;
///
/// # async fn example() -> Result<(), sandbox_process::Error> {
/// let sandboxes = Sandboxes::from_env()?;
/// let sandbox = sandboxes.create().name("web").env("PORT", "8000").label("team", "a").await?;
/// let outcome = sandbox.process().exec("echo \"$PORT\"").await?;
/// assert_eq!(outcome.stdout, "8000\n");
///
/// for sandbox in sandboxes.list().label("team", "a").await? {
///     println!("{} {}", sandbox.name(), sandbox.state());
/// }
/// sandboxes.get("web").await?.delete().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Sandboxes {
    control: ControlPlane,
}

/// Settings of a connection to a control plane; made by [`Sandboxes::builder`].
#[derive(Debug)]
#[must_use = "nothing is made before `build` is called"]
pub struct SandboxesBuilder {
    transport: Result<TransportBuilder, Error>,
}

impl SandboxesBuilder {
    /// Sets the key.
    pub fn key(self, key: impl Into<String>) -> Self {
        self.transport(|transport| transport.token(key))
    }

    /// Changes the settings of the transport: headers, certificates, proxies, retries, deadlines. They hold for the sandboxes as
    /// well.
    pub fn transport(mut self, change: impl FnOnce(TransportBuilder) -> TransportBuilder) -> Self {
        self.transport = self.transport.map(change);
        self
    }

    /// Creates the client. Nothing is connected to before the first operation.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`InvalidInput`](ErrorKind::InvalidInput) if the URL, the key or another setting is not valid.
    pub fn build(self) -> Result<Sandboxes, Error> {
        let control = self.transport?.build_control()?;
        Ok(Sandboxes { control })
    }
}

impl Sandboxes {
    /// Creates a client of the control plane at `url`, which ends in `/api`.
    ///
    /// # Errors
    ///
    /// Those of [`SandboxesBuilder::build`].
    ///
    /// # Examples
    ///
    /// ```
    /// use sandbox_process::Sandboxes;
    ///
    /// # fn main() -> Result<(), sandbox_process::Error> {
    /// let sandboxes = Sandboxes::connect("http://127.0.0.1:3986/api", "the key")?;
    /// assert!(Sandboxes::connect("127.0.0.1:3986", "the key").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect(url: impl AsRef<str>, key: impl Into<String>) -> Result<Self, Error> {
        Self::builder(url).key(key).build()
    }

    /// Returns the settings of a client of the control plane at `url`.
    pub fn builder(url: impl AsRef<str>) -> SandboxesBuilder {
        let endpoint = url.as_ref().parse::<Endpoint>().map_err(|error| {
            let message = "the URL of the control plane cannot be used";
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
        });
        SandboxesBuilder {
            transport: endpoint.map(TransportBuilder::new),
        }
    }

    /// Creates a client of the control plane that the environment names.
    ///
    /// That is `DAYTONA_API_URL`, with the key `DAYTONA_API_KEY` and, if it is set, `DAYTONA_ORGANIZATION_ID`: what the official
    /// SDKs read. If `DAYTONA_API_URL` is not set, it is the control plane of `sandbox up` on this machine, by the file that it
    /// leaves in its [state directory](ControlAddress::state_dir).
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Connect`](ErrorKind::Connect) if there is neither, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) if a value is not valid.
    ///
    /// # Examples
    ///
    /// See [`Sandboxes`].
    pub fn from_env() -> Result<Self, Error> {
        Self::at(&ControlAddress::from_env()?)
    }

    /// Creates a client of the control plane at this address.
    ///
    /// # Errors
    ///
    /// Those of [`SandboxesBuilder::build`].
    pub fn at(address: &ControlAddress) -> Result<Self, Error> {
        let mut builder = Self::builder(&address.url).key(&address.key);
        if let Some(organization) = &address.organization {
            builder = builder.transport(|transport| transport.organization(organization));
        }
        builder.build()
    }

    /// Returns a client of the same control plane with other options for each operation: a deadline, an idempotency key, retries.
    /// They do not hold for operations within sandboxes.
    #[must_use]
    pub fn with_options(&self, options: CallOptions) -> Self {
        Self {
            control: self.control.with_options(options),
        }
    }

    /// Returns a sandbox to create: await it.
    ///
    /// # Examples
    ///
    /// See [`Sandboxes`] and [`CreateSandbox`].
    pub fn create(&self) -> CreateSandbox {
        CreateSandbox::new(self.control.clone())
    }

    /// Returns a sandbox by its id or its name.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if there is no such sandbox, and of kinds
    /// [`Connect`](ErrorKind::Connect), [`Timeout`](ErrorKind::Timeout), [`Protocol`](ErrorKind::Protocol) or
    /// [`Unauthorized`](ErrorKind::Unauthorized) if the control plane cannot be asked. Every operation may return those.
    ///
    /// # Examples
    ///
    /// See [`Sandboxes`].
    pub async fn get(&self, id_or_name: &str) -> Result<Sandbox, Error> {
        let info = self.control.get(id_or_name).await?;
        Sandbox::new(self.control.clone(), info).await
    }

    /// Returns the list of sandboxes: await it.
    ///
    /// # Examples
    ///
    /// See [`Sandboxes`].
    pub fn list(&self) -> ListSandboxes {
        ListSandboxes::new(self.control.clone())
    }

    /// Returns the transport, for operations that have no method here.
    pub fn control(&self) -> &ControlPlane {
        &self.control
    }
}
