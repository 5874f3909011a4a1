//! One sandbox.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sandbox_transport::{ControlPlane, Error, PreviewUrl, SandboxInfo, SandboxState};

use crate::client::Client;
use crate::files::Files;
use crate::process::Process;
use crate::toolbox;

/// A sandbox: a handle to it.
///
/// The handle is cheap to clone; clones share what is known about the sandbox. Dropping it changes nothing:
/// [`delete`](Self::delete) removes the sandbox.
///
/// [`info`](Self::info) and what it has are as the control plane described them last: by the handle's own operations, or by
/// [`refresh`](Self::refresh).
///
/// # Examples
///
/// ```no_run
/// # async fn example(sandboxes: sandbox_process::Sandboxes) -> Result<(), sandbox_process::Error> {
/// let sandbox = sandboxes.create().name("web").await?;
/// sandbox.files().write("index.html", "hello").await?;
/// let serve = sandbox.process().exec("python3 -m http.server 8000").spawn().await?;
/// println!("{}", sandbox.preview_url(8000).await?.url);
///
/// // Its processes end, and its files remain.
/// sandbox.stop().await?;
/// sandbox.start().await?;
/// assert_eq!(sandbox.files().read("index.html").await?, b"hello");
/// sandbox.delete().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sandbox {
    control: ControlPlane,
    id: Arc<str>,
    known: Arc<Mutex<Known>>,
}

struct Known {
    info: Arc<SandboxInfo>,
    process: Process,
}

impl Sandbox {
    pub(super) async fn new(control: ControlPlane, info: SandboxInfo) -> Result<Self, Error> {
        let process = process(&control, &info).await?;
        Ok(Self {
            control,
            id: info.id.as_str().into(),
            known: Arc::new(Mutex::new(Known {
                info: Arc::new(info),
                process,
            })),
        })
    }

    /// Returns the id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the name.
    pub fn name(&self) -> String {
        self.known().info.name.clone()
    }

    /// Returns the state.
    pub fn state(&self) -> SandboxState {
        self.known().info.state.clone()
    }

    /// Returns all that the control plane reports about the sandbox.
    pub fn info(&self) -> Arc<SandboxInfo> {
        self.known().info.clone()
    }

    /// Returns a client of the sandbox's daemon, which runs commands and code in the sandbox.
    ///
    /// # Examples
    ///
    /// See [`Sandbox`].
    pub fn process(&self) -> Process {
        self.known().process.clone()
    }

    /// Returns the files of the sandbox.
    ///
    /// # Examples
    ///
    /// See [`Sandbox`].
    #[doc(alias = "fs")]
    pub fn files(&self) -> Files {
        self.process().files()
    }

    /// Asks the control plane about the sandbox.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`Sandboxes::get`](crate::Sandboxes::get).
    #[doc(alias = "refresh_data")]
    pub async fn refresh(&self) -> Result<Arc<SandboxInfo>, Error> {
        let info = self.control.get(&self.id).await?;
        self.update(info).await
    }

    /// Starts the sandbox if it is stopped or paused, and waits until it has started.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the sandbox may or may not start.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Server`](crate::ErrorKind::Server) if the sandbox does not start, of kind
    /// [`Timeout`](crate::ErrorKind::Timeout) if it has not after a minute, and those of
    /// [`Sandboxes::get`](crate::Sandboxes::get).
    pub async fn start(&self) -> Result<(), Error> {
        let info = self.control.start(&self.id).await?;
        self.settle(info, SandboxState::Started).await
    }

    /// Ends all processes of the sandbox, and waits until they have ended. Its files remain.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the sandbox may or may not stop.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start).
    pub async fn stop(&self) -> Result<(), Error> {
        let info = self.control.stop(&self.id).await?;
        self.settle(info, SandboxState::Stopped).await
    }

    /// Kills all processes of the sandbox, and waits until they have ended. Its files remain.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the sandbox may or may not stop.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start).
    pub async fn kill(&self) -> Result<(), Error> {
        let info = self.control.kill(&self.id).await?;
        self.settle(info, SandboxState::Stopped).await
    }

    /// Freezes all processes of the sandbox until it is started.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the sandbox may or may not pause.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Unsupported`](crate::ErrorKind::Unsupported) if the control plane cannot pause sandboxes, and
    /// those of [`start`](Self::start).
    pub async fn pause(&self) -> Result<(), Error> {
        let info = self.control.pause(&self.id).await?;
        self.settle(info, SandboxState::Paused).await
    }

    /// Deletes the sandbox with everything that it has. Other control planes than this project's may respond before it is done.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the sandbox may or may not be deleted.
    ///
    /// # Errors
    ///
    /// Those of [`Sandboxes::get`](crate::Sandboxes::get).
    pub async fn delete(&self) -> Result<(), Error> {
        self.control.delete(&self.id).await
    }

    /// Returns the URL at which a server that listens on a port in the sandbox can be reached, and the token of its requests.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`Sandboxes::get`](crate::Sandboxes::get).
    ///
    /// # Examples
    ///
    /// See [`Sandbox`].
    #[doc(alias = "get_preview_link")]
    pub async fn preview_url(&self, port: u16) -> Result<PreviewUrl, Error> {
        self.control.preview_url(&self.id, port).await
    }

    /// Returns a URL as [`preview_url`](Self::preview_url) does, with a token in it, which is valid for this long, in whole seconds.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the URL may exist.
    ///
    /// # Errors
    ///
    /// Those of [`Sandboxes::get`](crate::Sandboxes::get).
    #[doc(alias = "create_signed_preview_url")]
    pub async fn signed_preview_url(
        &self,
        port: u16,
        valid: Duration,
    ) -> Result<PreviewUrl, Error> {
        self.control.signed_preview_url(&self.id, port, valid).await
    }

    /// Replaces all labels.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the labels may or may not be replaced.
    ///
    /// # Errors
    ///
    /// Those of [`Sandboxes::get`](crate::Sandboxes::get).
    pub async fn set_labels(&self, labels: BTreeMap<String, String>) -> Result<(), Error> {
        self.control.set_labels(&self.id, labels.clone()).await?;
        let mut known = self.known();
        Arc::make_mut(&mut known.info).labels = labels;
        Ok(())
    }

    /// Sets how long the sandbox may be idle until it is stopped, rounded up to minutes; `None` means that it never is.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the time may or may not be set.
    ///
    /// # Errors
    ///
    /// Those of [`Sandboxes::get`](crate::Sandboxes::get).
    #[doc(alias = "set_autostop_interval")]
    pub async fn set_auto_stop(&self, after: Option<Duration>) -> Result<(), Error> {
        let info = self.control.set_auto_stop(&self.id, after).await?;
        self.update(info).await.map(drop)
    }

    /// Sets how long the sandbox may be stopped until it is deleted, rounded up to minutes; `None` means that it never is.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the time may or may not be set.
    ///
    /// # Errors
    ///
    /// Those of [`Sandboxes::get`](crate::Sandboxes::get).
    #[doc(alias = "set_auto_delete_interval")]
    pub async fn set_auto_delete(&self, after: Option<Duration>) -> Result<(), Error> {
        let info = self.control.set_auto_delete(&self.id, after).await?;
        self.update(info).await.map(drop)
    }

    /// Sets how long after its creation the sandbox is deleted, rounded up to minutes; `None` means that it never is.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the time may or may not be set.
    ///
    /// # Errors
    ///
    /// Those of [`Sandboxes::get`](crate::Sandboxes::get).
    pub async fn set_ttl(&self, after: Option<Duration>) -> Result<(), Error> {
        let info = self.control.set_ttl(&self.id, after).await?;
        self.update(info).await.map(drop)
    }

    /// Counts as an activity, so that the sandbox is not stopped for being idle. Operations in the sandbox count by themselves.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the time may be recorded.
    ///
    /// # Errors
    ///
    /// Those of [`Sandboxes::get`](crate::Sandboxes::get).
    pub async fn refresh_activity(&self) -> Result<(), Error> {
        self.control.refresh_activity(&self.id).await
    }

    async fn settle(&self, info: SandboxInfo, state: SandboxState) -> Result<(), Error> {
        let info = self.control.wait_for(info, state).await?;
        self.update(info).await.map(drop)
    }

    async fn update(&self, info: SandboxInfo) -> Result<Arc<SandboxInfo>, Error> {
        let is_elsewhere = info.toolbox_url != self.known().info.toolbox_url;
        let process = if is_elsewhere {
            Some(process(&self.control, &info).await?)
        } else {
            None
        };
        let mut known = self.known();
        known.info = Arc::new(info);
        if let Some(process) = process {
            known.process = process;
        }
        Ok(known.info.clone())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The label by which the official SDKs remember the default language of programs.
pub(super) const LANGUAGE_LABEL: &str = "code-toolbox-language";

async fn process(control: &ControlPlane, info: &SandboxInfo) -> Result<Process, Error> {
    let client = Client::new(control.toolbox(info).await?);
    let language = info.labels.get(LANGUAGE_LABEL).map(String::as_str);
    Ok(Process::from_client(
        client.with_toolbox(toolbox::named(language)),
    ))
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("id", &self.id)
            .field("name", &self.name())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
