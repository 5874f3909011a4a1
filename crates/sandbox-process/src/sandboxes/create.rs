//! Sandboxes to create.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use sandbox_transport::{ControlPlane, Error, Language, SandboxRequest, SandboxState};

use super::sandbox::{LANGUAGE_LABEL, Sandbox};

/// A sandbox to create; made by [`Sandboxes::create`](crate::Sandboxes::create). Await it: the result is a started [`Sandbox`].
///
/// What is not set is as the control plane decides.
///
/// # Cancel safety
///
/// If the future is dropped after it was polled, the sandbox may or may not exist.
///
/// # Errors
///
/// Returns an error of kind [`Conflict`](crate::ErrorKind::Conflict) if the name is in use, of kind
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) if the image is not registered or another option is not valid, of kind
/// [`Unsupported`](crate::ErrorKind::Unsupported) if the control plane does not have an option, and of kind
/// [`Server`](crate::ErrorKind::Server) if the sandbox does not start.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// # async fn example(sandboxes: sandbox_process::Sandboxes) -> Result<(), sandbox_process::Error> {
/// let sandbox = sandboxes
///     .create()
///     .name("build")
///     .auto_stop(Duration::from_secs(15 * 60))
///     .auto_delete(Duration::ZERO)
///     .block_network()
///     .await?;
/// println!("{}", sandbox.process().exec("ip address").await?.stdout_lossy());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is created before it is awaited"]
pub struct CreateSandbox {
    control: ControlPlane,
    request: SandboxRequest,
}

impl CreateSandbox {
    pub(super) fn new(control: ControlPlane) -> Self {
        Self {
            control,
            request: SandboxRequest::default(),
        }
    }

    /// Sets the name, which no other sandbox has.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.request.name = Some(name.into());
        self
    }

    /// Sets the registered image whose files the sandbox sees: a snapshot in the words of Daytona's API. Default: with
    /// `sandbox up`, the files of this machine.
    #[doc(alias = "snapshot")]
    pub fn image(mut self, name: impl Into<String>) -> Self {
        self.request.image = Some(name.into());
        self
    }

    /// Sets the user that processes run as. Default: `daytona`.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.request.user = Some(name.into());
        self
    }

    env_options!(request.env);

    /// Sets a label, by which the sandbox can be listed.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.labels.insert(name.into(), value.into());
        self
    }

    /// Sets the default language of programs, which is a label of the sandbox. Default: Python.
    pub fn language(self, language: Language) -> Self {
        self.label(LANGUAGE_LABEL, language.name())
    }

    /// Gives the sandbox no network.
    pub fn block_network(mut self) -> Self {
        self.request.block_network = Some(true);
        self
    }

    /// Limits the number of processors.
    pub fn cpus(mut self, count: u32) -> Self {
        self.request.cpus = Some(count);
        self
    }

    /// Limits the memory, in GiB.
    pub fn memory_gib(mut self, gib: u32) -> Self {
        self.request.memory_gib = Some(gib);
        self
    }

    /// Limits the space on the disk, in GiB.
    pub fn disk_gib(mut self, gib: u32) -> Self {
        self.request.disk_gib = Some(gib);
        self
    }

    /// Stops the sandbox after it was idle for this long, rounded up to minutes; zero means never.
    pub fn auto_stop(mut self, after: Duration) -> Self {
        self.request.auto_stop = Some(after);
        self
    }

    /// Deletes the sandbox after it was stopped for this long, rounded up to minutes; zero means when it stops.
    pub fn auto_delete(mut self, after: Duration) -> Self {
        self.request.auto_delete = Some(Some(after));
        self
    }

    /// Deletes the sandbox this long after its creation, rounded up to minutes, whatever its state is.
    pub fn ttl(mut self, after: Duration) -> Self {
        self.request.ttl = Some(after);
        self
    }

    async fn created(self) -> Result<Sandbox, Error> {
        let Self { control, request } = self;
        let info = control.create(request).await?;
        let info = control.wait_for(info, SandboxState::Started).await?;
        Sandbox::new(control, info).await
    }
}

impl IntoFuture for CreateSandbox {
    type Output = Result<Sandbox, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.created())
    }
}
