//! The facade.

use std::sync::Arc;

use sandbox_transport::{Delivery, Endpoint, Error, ErrorKind, HttpTransport, ProcessApi};

use crate::{CodeRun, Exec};

/// A sandbox's daemon, and so everything that can be run there. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Process {
    api: Arc<dyn ProcessApi>,
    /// Ends the embedded daemon with the last clone.
    #[cfg(feature = "embedded")]
    pub(crate) embedded: Option<Arc<crate::embedded::Embedded>>,
}

/// Settings of a connection to a daemon.
#[derive(Debug, Clone)]
#[must_use]
pub struct ProcessBuilder {
    url: String,
    token: Option<Secret>,
}

/// A token; `Debug` does not show it.
#[derive(Clone)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl ProcessBuilder {
    /// Presents this access token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Secret(token.into()));
        self
    }

    /// Makes the client. Nothing is connected to before the first operation.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when the URL or the token cannot be used.
    pub fn build(self) -> Result<Process, Error> {
        let endpoint: Endpoint = self.url.parse().map_err(|error| {
            let message = "the base URL cannot be used";
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
        })?;
        let mut transport = HttpTransport::builder(endpoint);
        if let Some(Secret(token)) = self.token {
            transport = transport.token(token);
        }
        Ok(Process::with_api(transport.build()?))
    }
}

impl Process {
    /// The daemon at `url`, `http://HOST[:PORT][/PREFIX]` or `unix:PATH`, without a token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when the URL cannot be used. Nothing is connected to yet.
    pub fn connect(url: impl Into<String>) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// Settings for the daemon at `url`.
    pub fn builder(url: impl Into<String>) -> ProcessBuilder {
        ProcessBuilder {
            url: url.into(),
            token: None,
        }
    }

    /// The daemon behind a carrier of your own.
    pub fn with_api(api: impl ProcessApi + 'static) -> Self {
        Self {
            api: Arc::new(api),
            #[cfg(feature = "embedded")]
            embedded: None,
        }
    }

    /// Runs a shell command to its end: `await` what this returns.
    pub fn exec(&self, command: impl Into<String>) -> Exec<'_> {
        Exec::new(self, command.into())
    }

    /// Runs a program to its end: `await` what this returns. Python unless told otherwise.
    pub fn code_run(&self, code: impl Into<String>) -> CodeRun<'_> {
        CodeRun::new(self, code.into())
    }

    /// Tells the daemon's version.
    ///
    /// # Errors
    ///
    /// Whatever keeps an answer from coming.
    pub async fn version(&self) -> Result<String, Error> {
        Ok(self.api.version().await?.version)
    }

    pub(crate) fn api(&self) -> &dyn ProcessApi {
        &*self.api
    }
}
