//! Sandboxes of a control plane.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::waiting::Waiter;
use super::{Files, Process};
use crate::{ControlAddress, Error, PreviewUrl, SandboxInfo, SandboxState};

/// A client of a control plane, for programs without a runtime. Cheap to clone. See [`crate::Sandboxes`].
///
/// # Examples
///
/// ```no_run
/// use sandbox_process::blocking::Sandboxes;
///
/// # fn main() -> Result<(), sandbox_process::Error> {
/// let sandboxes = Sandboxes::from_env()?;
/// let sandbox = sandboxes.create().name("web").env("PORT", "8000").create()?;
/// let outcome = sandbox.process().exec("echo \"$PORT\"").run()?;
/// assert_eq!(outcome.stdout, "8000\n");
/// sandbox.delete()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Sandboxes {
    inner: crate::Sandboxes,
    waiter: Arc<Waiter>,
}

impl Sandboxes {
    /// Creates a client that waits for the operations of an async one.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Connect`](crate::ErrorKind::Connect) if the system has no threads or descriptors left.
    pub fn new(sandboxes: crate::Sandboxes) -> Result<Self, Error> {
        Ok(Self {
            inner: sandboxes,
            waiter: Arc::new(Waiter::with_runtime()?),
        })
    }

    /// Creates a client of the control plane at `url`, which ends in `/api`. See [`crate::Sandboxes::connect`].
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`InvalidInput`](crate::ErrorKind::InvalidInput) if the URL or the key is not valid.
    pub fn connect(url: impl AsRef<str>, key: impl Into<String>) -> Result<Self, Error> {
        Self::new(crate::Sandboxes::connect(url, key)?)
    }

    /// Creates a client of the control plane that the environment names. See [`crate::Sandboxes::from_env`].
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Connect`](crate::ErrorKind::Connect) if there is none, and of kind
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if a value is not valid.
    pub fn from_env() -> Result<Self, Error> {
        Self::new(crate::Sandboxes::from_env()?)
    }

    /// Creates a client of the control plane at this address.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn at(address: &ControlAddress) -> Result<Self, Error> {
        Self::new(crate::Sandboxes::at(address)?)
    }

    /// Returns a sandbox to create, by [`CreateSandbox::create`].
    pub fn create(&self) -> CreateSandbox {
        CreateSandbox {
            inner: self.inner.create(),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Returns a sandbox by its id or its name.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Sandboxes::get`].
    pub fn get(&self, id_or_name: &str) -> Result<Sandbox, Error> {
        let inner = self.waiter.block_on(self.inner.get(id_or_name))?;
        Ok(Sandbox::new(inner, &self.waiter))
    }

    /// Returns the list of sandboxes, by [`ListSandboxes::list`].
    pub fn list(&self) -> ListSandboxes {
        ListSandboxes {
            inner: self.inner.list(),
            waiter: Arc::clone(&self.waiter),
        }
    }

    /// Returns the async client.
    pub fn as_async(&self) -> &crate::Sandboxes {
        &self.inner
    }
}

builder! {
    /// A sandbox to create. See [`crate::CreateSandbox`].
    CreateSandbox [env language]
    /// Creates the sandbox, and returns when it has started.
    create -> Sandbox = |waiter, inner| Sandbox { inner, waiter }
}

impl CreateSandbox {
    /// Sets the name, which no other sandbox has.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.inner = self.inner.name(name);
        self
    }

    /// Sets the registered image whose files the sandbox sees. Default: with `sandbox up`, the files of this machine.
    pub fn image(mut self, name: impl Into<String>) -> Self {
        self.inner = self.inner.image(name);
        self
    }

    /// Sets the user that processes run as. Default: `daytona`.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.inner = self.inner.user(name);
        self
    }

    /// Sets a label, by which the sandbox can be listed.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.inner = self.inner.label(name, value);
        self
    }

    /// Gives the sandbox no network.
    pub fn block_network(mut self) -> Self {
        self.inner = self.inner.block_network();
        self
    }

    /// Limits the number of processors.
    pub fn cpus(mut self, count: u32) -> Self {
        self.inner = self.inner.cpus(count);
        self
    }

    /// Limits the memory, in GiB.
    pub fn memory_gib(mut self, gib: u32) -> Self {
        self.inner = self.inner.memory_gib(gib);
        self
    }

    /// Limits the space on the disk, in GiB.
    pub fn disk_gib(mut self, gib: u32) -> Self {
        self.inner = self.inner.disk_gib(gib);
        self
    }

    /// Stops the sandbox after it was idle for this long, rounded up to minutes; zero means never.
    pub fn auto_stop(mut self, after: Duration) -> Self {
        self.inner = self.inner.auto_stop(after);
        self
    }

    /// Deletes the sandbox after it was stopped for this long, rounded up to minutes; zero means when it stops.
    pub fn auto_delete(mut self, after: Duration) -> Self {
        self.inner = self.inner.auto_delete(after);
        self
    }

    /// Deletes the sandbox this long after its creation, rounded up to minutes, whatever its state is.
    pub fn ttl(mut self, after: Duration) -> Self {
        self.inner = self.inner.ttl(after);
        self
    }
}

builder! {
    /// The list of sandboxes. See [`crate::ListSandboxes`].
    ListSandboxes []
    /// Returns the sandboxes.
    list -> Vec<Sandbox> = |waiter, found| {
        let sandboxes = found.into_iter().map(|inner| Sandbox::new(inner, &waiter));
        sandboxes.collect()
    }
}

impl ListSandboxes {
    /// Lists only sandboxes that have this label. Of several, a sandbox has all.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.inner = self.inner.label(name, value);
        self
    }
}

/// A sandbox: a handle to it. Cheap to clone; dropping it changes nothing. See [`crate::Sandbox`], whose errors its methods have.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: crate::Sandbox,
    waiter: Arc<Waiter>,
}

/// Defines methods that wait for those of the async handle.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $output:ty;)*) => {
        impl Sandbox {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                ///
                #[doc = concat!("Those of [`crate::Sandbox::", stringify!($name), "`].")]
                pub fn $name(&self, $($argument: $type),*) -> Result<$output, Error> {
                    self.waiter.block_on(self.inner.$name($($argument),*))
                }
            )*
        }
    };
}

operations! {
    /// Asks the control plane about the sandbox.
    refresh() -> Arc<SandboxInfo>;
    /// Starts the sandbox if it is stopped or paused, and waits until it has started.
    start() -> ();
    /// Ends all processes of the sandbox, and waits until they have ended. Its files remain.
    stop() -> ();
    /// Kills all processes of the sandbox, and waits until they have ended. Its files remain.
    kill() -> ();
    /// Freezes all processes of the sandbox until it is started.
    pause() -> ();
    /// Deletes the sandbox with everything that it has.
    delete() -> ();
    /// Returns the URL at which a server that listens on a port in the sandbox can be reached, and the token of its requests.
    preview_url(port: u16) -> PreviewUrl;
    /// Returns such a URL with a token in it, which is valid for this long, in whole seconds.
    signed_preview_url(port: u16, valid: Duration) -> PreviewUrl;
    /// Replaces all labels.
    set_labels(labels: BTreeMap<String, String>) -> ();
    /// Sets how long the sandbox may be idle until it is stopped, rounded up to minutes; `None` means that it never is.
    set_auto_stop(after: Option<Duration>) -> ();
    /// Sets how long the sandbox may be stopped until it is deleted, rounded up to minutes; `None` means that it never is.
    set_auto_delete(after: Option<Duration>) -> ();
    /// Sets how long after its creation the sandbox is deleted, rounded up to minutes; `None` means that it never is.
    set_ttl(after: Option<Duration>) -> ();
    /// Counts as an activity, so that the sandbox is not stopped for being idle.
    refresh_activity() -> ();
}

impl Sandbox {
    fn new(inner: crate::Sandbox, waiter: &Arc<Waiter>) -> Self {
        Self {
            inner,
            waiter: Arc::clone(waiter),
        }
    }

    /// Returns the id.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// Returns the name.
    pub fn name(&self) -> String {
        self.inner.name()
    }

    /// Returns the state.
    pub fn state(&self) -> SandboxState {
        self.inner.state()
    }

    /// Returns all that the control plane reported about the sandbox last.
    pub fn info(&self) -> Arc<SandboxInfo> {
        self.inner.info()
    }

    /// Returns a client of the sandbox's daemon, which runs commands and code in the sandbox.
    pub fn process(&self) -> Process {
        Process::with_waiter(self.inner.process(), Arc::clone(&self.waiter))
    }

    /// Returns the files of the sandbox.
    pub fn files(&self) -> Files {
        self.process().files()
    }

    /// Returns the async handle.
    pub fn as_async(&self) -> &crate::Sandbox {
        &self.inner
    }
}
