//! The facade.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use sandbox_transport::{
    ApiFuture, CallOptions, Delivery, Endpoint, Error, ErrorKind, HttpTransport,
    HttpTransportBuilder, ProcessApi,
};

use crate::{CodeInterpreter, CodeRun, CodeToolbox, Exec, PythonToolbox};

/// A sandbox's daemon, and so everything that can be run there. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Process {
    api: Arc<dyn ProcessApi>,
    toolbox: Arc<dyn CodeToolbox>,
    ensure_toolbox_url: Option<Arc<Ensure>>,
    /// Ends the embedded daemon with the last clone.
    #[cfg(feature = "embedded")]
    pub(crate) embedded: Option<Arc<crate::embedded::Embedded>>,
}

type Ensure = dyn Fn() -> ApiFuture<'static, ()> + Send + Sync;

/// Settings of a connection to a daemon.
#[derive(Debug)]
#[must_use]
pub struct ProcessBuilder {
    transport: Result<HttpTransportBuilder, Error>,
    toolbox: Arc<dyn CodeToolbox>,
}

impl ProcessBuilder {
    /// Presents this access token.
    pub fn token(self, token: impl Into<String>) -> Self {
        self.transport(|transport| transport.token(token))
    }

    /// Changes how the daemon is spoken to: headers, certificates, proxies, what is repeated, limits.
    pub fn transport(
        mut self,
        change: impl FnOnce(HttpTransportBuilder) -> HttpTransportBuilder,
    ) -> Self {
        self.transport = self.transport.map(change);
        self
    }

    /// Speaks gRPC to the daemon, whatever its URL says: as to `https://` daemons, whose scheme leaves it open.
    #[cfg(feature = "grpc")]
    pub fn grpc(self) -> Self {
        self.transport(HttpTransportBuilder::grpc)
    }

    /// Runs code in this language unless told otherwise. Default: Python.
    pub fn toolbox(mut self, toolbox: impl CodeToolbox + 'static) -> Self {
        self.toolbox = Arc::new(toolbox);
        self
    }

    /// Makes the client. Nothing is connected to before the first operation.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when the URL, the token or another setting cannot be used.
    pub fn build(self) -> Result<Process, Error> {
        Ok(Process {
            toolbox: self.toolbox,
            ..Process::with_carrier(self.transport?.carrier()?)
        })
    }
}

impl Process {
    /// What runs code, what carries the operations, and what is called before each of them: it may look the daemon's
    /// address up, start a sandbox that sleeps, or do nothing. Its error is the operation's.
    ///
    /// The short ways in are [`connect`](Self::connect), [`builder`](Self::builder), [`from_env`](Self::from_env) and, with
    /// the feature `embedded`, `local`.
    pub fn new<F>(
        code_toolbox: impl CodeToolbox + 'static,
        api_client: Arc<dyn ProcessApi>,
        ensure_toolbox_url: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Self {
            api: api_client,
            toolbox: Arc::new(code_toolbox),
            ensure_toolbox_url: Some(Arc::new(move || Box::pin(ensure_toolbox_url()))),
            #[cfg(feature = "embedded")]
            embedded: None,
        }
    }

    /// The daemon at `url`, without a token: `http[s]://HOST[:PORT][/PREFIX]` or `unix:PATH`; with the feature `grpc`, over gRPC
    /// at `grpc[s]://HOST[:PORT][/PREFIX]` or `grpc+unix:PATH`, with equal results.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when the URL cannot be used. Nothing is connected to yet.
    pub fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// Settings for the daemon at `url`.
    pub fn builder(url: impl AsRef<str>) -> ProcessBuilder {
        let endpoint = url.as_ref().parse::<Endpoint>().map_err(|error| {
            let message = "the base URL cannot be used";
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
        });
        ProcessBuilder {
            transport: endpoint.map(HttpTransport::builder),
            toolbox: Arc::new(PythonToolbox),
        }
    }

    /// The daemon that the environment names: `SANDBOX_URL`, with the token `SANDBOX_TOKEN` if it is set; else a sandbox of
    /// Daytona's: `DAYTONA_TOOLBOX_URL` (what its API tells as the sandbox's `toolboxProxyUrl`) and `DAYTONA_SANDBOX_ID`
    /// behind it, with the token `DAYTONA_API_KEY` and, if it is set, `DAYTONA_ORGANIZATION_ID`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when neither is set, or what is set cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_variables(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        if let Some(url) = get("SANDBOX_URL") {
            let builder = Self::builder(url);
            return match get("SANDBOX_TOKEN") {
                Some(token) => builder.token(token).build(),
                None => builder.build(),
            };
        }
        let needed = |name| {
            get(name).ok_or_else(|| {
                let message = format!("neither SANDBOX_URL nor {name} is set");
                Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message)
            })
        };
        let url = needed("DAYTONA_TOOLBOX_URL")?;
        let id = needed("DAYTONA_SANDBOX_ID")?;
        let mut builder = Self::builder(format!("{}/{id}", url.trim_end_matches('/')))
            .token(needed("DAYTONA_API_KEY")?);
        if let Some(organization) = get("DAYTONA_ORGANIZATION_ID") {
            builder = builder.transport(|transport| transport.organization(organization));
        }
        builder.build()
    }

    /// The daemon behind a carrier of your own.
    pub fn with_api(api: impl ProcessApi + 'static) -> Self {
        Self::with_carrier(Arc::new(api))
    }

    fn with_carrier(api: Arc<dyn ProcessApi>) -> Self {
        Self {
            api,
            toolbox: Arc::new(PythonToolbox),
            ensure_toolbox_url: None,
            #[cfg(feature = "embedded")]
            embedded: None,
        }
    }

    /// The same daemon with other options for each operation: a deadline, a key, what is repeated.
    #[must_use]
    pub fn with_options(&self, options: CallOptions) -> Self {
        Self {
            api: self.api.with_options(options),
            ..self.clone()
        }
    }

    /// Runs a shell command to its end: `await` what this returns.
    pub fn exec(&self, command: impl Into<String>) -> Exec<'_> {
        Exec::new(self, command.into())
    }

    /// Runs a program to its end: `await` what this returns. In the language of the toolbox unless told otherwise.
    pub fn code_run(&self, code: impl Into<String>) -> CodeRun<'_> {
        CodeRun::new(self, code.into())
    }

    /// Interpreters that remember.
    pub fn code_interpreter(&self) -> CodeInterpreter<'_> {
        CodeInterpreter::new(self)
    }

    /// Tells the daemon's version.
    ///
    /// # Errors
    ///
    /// Whatever keeps an answer from coming.
    pub async fn version(&self) -> Result<String, Error> {
        self.ready().await?.version().await
    }

    /// What carries the operations, for those that have no method here.
    pub fn api(&self) -> &Arc<dyn ProcessApi> {
        &self.api
    }

    pub(crate) fn code_toolbox(&self) -> &dyn CodeToolbox {
        &*self.toolbox
    }

    /// The carrier, once it may be used.
    pub(crate) async fn ready(&self) -> Result<&dyn ProcessApi, Error> {
        if let Some(ensure) = &self.ensure_toolbox_url {
            ensure().await?;
        }
        Ok(&*self.api)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("api", &self.api)
            .field("toolbox", &self.toolbox)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_a_daemon() {
        let from = |variables: &[(&str, &str)]| {
            Process::from_variables(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let error = from(&[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("SANDBOX_URL"), "{error}");
        let own = from(&[("SANDBOX_URL", "http://h:1/p"), ("SANDBOX_TOKEN", "t")]).unwrap();
        assert!(format!("{own:?}").contains("\"h\""), "{own:?}");
        let theirs = [
            ("DAYTONA_TOOLBOX_URL", "https://proxy.example/toolbox/"),
            ("DAYTONA_SANDBOX_ID", "id"),
            ("DAYTONA_API_KEY", "k"),
        ];
        let theirs = format!("{:?}", from(&theirs).unwrap());
        assert!(theirs.contains("/toolbox/id"), "{theirs}");
        assert!(from(&[("SANDBOX_URL", "nonsense")]).is_err());
    }

    #[test]
    fn the_url_names_the_carrier() {
        let carrier = |builder: ProcessBuilder| format!("{:?}", builder.build().unwrap().api());
        assert!(carrier(Process::builder("http://h:1")).starts_with("HttpTransport"));
        let grpc = Process::connect("grpc://h:1");
        if cfg!(feature = "grpc") {
            let grpc = format!("{:?}", grpc.unwrap().api());
            assert!(grpc.starts_with("GrpcTransport"), "{grpc}");
        } else {
            assert_eq!(grpc.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        #[cfg(feature = "grpc")]
        assert!(carrier(Process::builder("http://h:1").grpc()).starts_with("GrpcTransport"));
    }
}
