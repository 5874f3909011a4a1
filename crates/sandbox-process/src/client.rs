//! What every handle holds: the transport, the language of programs, and what is called before each operation.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sandbox_transport::{ApiFuture, CallOptions, Delivery, Error, ErrorKind, ProcessApi};

#[cfg(feature = "embedded")]
use crate::daemon::Daemon;
use crate::toolbox::{CodeToolbox, PythonToolbox};

/// A daemon as handles and builders hold it; cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    api: Arc<dyn ProcessApi>,
    toolbox: Arc<dyn CodeToolbox>,
    prepare: Option<Arc<Prepare>>,
    /// Ends the embedded daemon with the last clone.
    #[cfg(feature = "embedded")]
    daemon: Option<Arc<Daemon>>,
}

/// Called before each operation.
type Prepare = dyn Fn() -> ApiFuture<'static, ()> + Send + Sync;

impl Client {
    pub(crate) fn new(api: Arc<dyn ProcessApi>) -> Self {
        Self {
            api,
            toolbox: Arc::new(PythonToolbox),
            prepare: None,
            #[cfg(feature = "embedded")]
            daemon: None,
        }
    }

    pub(crate) fn with_toolbox(self, toolbox: Arc<dyn CodeToolbox>) -> Self {
        Self { toolbox, ..self }
    }

    pub(crate) fn with_prepare(
        self,
        prepare: impl Fn() -> ApiFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            prepare: Some(Arc::new(prepare)),
            ..self
        }
    }

    #[cfg(feature = "embedded")]
    pub(crate) fn with_daemon(self, daemon: Daemon) -> Self {
        Self {
            daemon: Some(Arc::new(daemon)),
            ..self
        }
    }

    pub(crate) fn with_options(&self, options: CallOptions) -> Self {
        Self {
            api: self.api.with_options(options),
            ..self.clone()
        }
    }

    pub(crate) fn api(&self) -> &Arc<dyn ProcessApi> {
        &self.api
    }

    pub(crate) fn toolbox(&self) -> &Arc<dyn CodeToolbox> {
        &self.toolbox
    }

    #[cfg(feature = "embedded")]
    pub(crate) fn daemon(&self) -> Option<&Arc<Daemon>> {
        self.daemon.as_ref()
    }

    /// Returns the transport when it may be used.
    pub(crate) async fn ready(&self) -> Result<&dyn ProcessApi, Error> {
        if let Some(prepare) = &self.prepare {
            prepare().await?;
        }
        Ok(&*self.api)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api", &self.api)
            .field("toolbox", &self.toolbox)
            .finish_non_exhaustive()
    }
}

/// Returns the error of a request that cannot be sent as it is.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message)
}

/// Returns a directory as requests name it.
pub(crate) fn directory(path: Option<&Path>) -> Result<Option<String>, Error> {
    let text = |path: &Path| match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(invalid(format!(
            "the directory {} is not UTF-8",
            path.display()
        ))),
    };
    path.map(text).transpose()
}

/// Returns thousandths of a processor; what is no positive number becomes 0, which every daemon refuses.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and NaN becomes 0"
)]
pub(crate) fn millicpus(cpus: f64) -> u32 {
    (cpus * 1000.0).round() as u32
}
