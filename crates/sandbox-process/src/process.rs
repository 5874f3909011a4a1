//! The client.

use std::ffi::OsStr;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use sandbox_transport::{
    CallOptions, ContextInfo, Delivery, Endpoint, Error, ErrorKind, Language, LogOptions,
    LogSource, LogStream, ProcessApi, PtyInfo, SessionInfo, TransportBuilder,
};

use crate::background::BackgroundCommand;
use crate::client::Client;
use crate::code::CodeRun;
use crate::context::{Context, CreateContext};
use crate::exec::{Command, Exec};
use crate::files::Files;
use crate::outcome::Logs;
use crate::pty::{CreatePty, Pty};
use crate::session::{CreateSession, Session};
use crate::toolbox::{CodeToolbox, PythonToolbox};

/// A client of one sandbox: runs commands and code in it, and makes handles to its sessions, terminals and interpreter contexts.
///
/// It is cheap to clone; clones share their connections. Nothing is connected to before the first operation.
///
/// Not to be confused with a process of an operating system: the name is that of the official SDKs. A command that runs is a
/// [`Running`](crate::Running).
///
/// # Examples
///
/// ```no_run
/// use sandbox_process::Process;
///
/// # async fn example() -> Result<(), sandbox_process::Error> {
/// let process = Process::connect("http://127.0.0.1:2280")?;
/// println!("{}", process.exec("uname -a").await?.stdout_lossy());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Process {
    client: Client,
}

/// Settings of a connection to a daemon; made by [`Process::builder`].
#[derive(Debug)]
#[must_use = "nothing is made before `build` is called"]
pub struct ProcessBuilder {
    transport: Result<TransportBuilder, Error>,
    toolbox: Arc<dyn CodeToolbox>,
}

impl ProcessBuilder {
    /// Sets the access token.
    pub fn token(self, token: impl Into<String>) -> Self {
        self.transport(|transport| transport.token(token))
    }

    /// Changes the settings of the transport: headers, certificates, proxies, retries, deadlines.
    pub fn transport(mut self, change: impl FnOnce(TransportBuilder) -> TransportBuilder) -> Self {
        self.transport = self.transport.map(change);
        self
    }

    /// Uses gRPC, whatever the scheme of the URL is.
    #[cfg(feature = "grpc")]
    pub fn grpc(self) -> Self {
        self.transport(TransportBuilder::grpc)
    }

    /// Sets the default language of programs. Default: [`PythonToolbox`].
    pub fn toolbox(mut self, toolbox: impl CodeToolbox + 'static) -> Self {
        self.toolbox = Arc::new(toolbox);
        self
    }

    /// Creates the client. Nothing is connected to before the first operation.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`InvalidInput`](ErrorKind::InvalidInput) if the URL, the token or another setting is not
    /// valid.
    pub fn build(self) -> Result<Process, Error> {
        let client = Client::new(self.transport?.build()?);
        Ok(Process::from_client(client.with_toolbox(self.toolbox)))
    }
}

impl Process {
    /// Creates a client from its parts, as the official SDKs do; [`connect`](Self::connect) is the short form.
    ///
    /// `code_toolbox` chooses the default language of programs, `api_client` is the transport, and `ensure_toolbox_url` is called
    /// before each operation: it may look up the daemon's address, start a sandbox that sleeps, or do nothing. If it returns an
    /// error, that is the operation's.
    pub fn new<F>(
        code_toolbox: impl CodeToolbox + 'static,
        api_client: Arc<dyn ProcessApi>,
        ensure_toolbox_url: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let client = Client::new(api_client).with_toolbox(Arc::new(code_toolbox));
        Self::from_client(client.with_prepare(move || Box::pin(ensure_toolbox_url())))
    }

    /// Creates a client of the daemon at `url`, without a token.
    ///
    /// The URL is `http[s]://HOST[:PORT][/PREFIX]` or `unix:PATH`. With the feature `grpc` it may also be
    /// `grpc[s]://HOST[:PORT][/PREFIX]` or `grpc+unix:PATH`, with equal results. Nothing is connected to yet.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`InvalidInput`](ErrorKind::InvalidInput) if the URL is not valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use sandbox_process::Process;
    ///
    /// # fn main() -> Result<(), sandbox_process::Error> {
    /// let process = Process::connect("http://127.0.0.1:2280")?;
    /// let with_token = Process::builder("https://sandbox.example").token("secret").build()?;
    /// assert!(Process::connect("127.0.0.1:2280").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// Returns the settings of a client of the daemon at `url`.
    pub fn builder(url: impl AsRef<str>) -> ProcessBuilder {
        let endpoint = url.as_ref().parse::<Endpoint>().map_err(|error| {
            let message = "the base URL cannot be used";
            Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
        });
        ProcessBuilder {
            transport: endpoint.map(TransportBuilder::new),
            toolbox: Arc::new(PythonToolbox),
        }
    }

    /// Creates a client of the daemon that the environment names.
    ///
    /// That is `SANDBOX_URL`, with the token `SANDBOX_TOKEN` if it is set. Otherwise it is a sandbox of Daytona's: the URL is
    /// `DAYTONA_TOOLBOX_URL` (the `toolboxProxyUrl` of its API) followed by `DAYTONA_SANDBOX_ID`, with the token
    /// `DAYTONA_API_KEY` and, if it is set, `DAYTONA_ORGANIZATION_ID`.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`InvalidInput`](ErrorKind::InvalidInput) if neither is set, or a value is not valid.
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

    /// Creates a client that uses a transport of the caller's.
    pub fn with_api(api: impl ProcessApi + 'static) -> Self {
        Self::from_client(Client::new(Arc::new(api)))
    }

    pub(crate) fn from_client(client: Client) -> Self {
        Self { client }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns a client of the same daemon with other options for each operation: a deadline, an idempotency key, retries.
    #[must_use]
    pub fn with_options(&self, options: CallOptions) -> Self {
        Self::from_client(self.client.with_options(options))
    }

    /// Returns the daemon's version.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Connect`](ErrorKind::Connect), [`Timeout`](ErrorKind::Timeout) or
    /// [`Protocol`](ErrorKind::Protocol) if the daemon cannot be reached or its response is not valid, and of kind
    /// [`Unauthorized`](ErrorKind::Unauthorized) if it wants another token. Every operation may return these.
    pub async fn version(&self) -> Result<String, Error> {
        self.client.ready().await?.version().await
    }

    /// Returns the files of the sandbox.
    ///
    /// # Examples
    ///
    /// See [`Files`].
    #[doc(alias = "fs")]
    pub fn files(&self) -> Files {
        Files::new(self.client.clone())
    }

    /// Returns the TCP ports from 3000 to 9999 on which something listens in the sandbox.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Unsupported`](ErrorKind::Unsupported) if the daemon does not report ports.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
    /// println!("{:?}", process.ports().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ports(&self) -> Result<Vec<u16>, Error> {
        self.client.ready().await?.ports().await
    }

    /// Returns whether something listens on a TCP port, from 3000 to 9999, in the sandbox.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`ports`](Self::ports), and an error of kind [`InvalidInput`](ErrorKind::InvalidInput) for another port.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
    /// if process.port_in_use(8000).await? {
    ///     println!("the server listens");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn port_in_use(&self, port: u16) -> Result<bool, Error> {
        self.client.ready().await?.port_in_use(port).await
    }

    /// Returns the transport, for operations that have no method here.
    pub fn api(&self) -> &Arc<dyn ProcessApi> {
        self.client.api()
    }
}

/// Commands and programs.
impl Process {
    /// Returns a shell command: await it to run the command to its end, or [`spawn`](Exec::spawn) it.
    ///
    /// The text is evaluated by a shell: whatever is inserted into it must be quoted. [`command`](Self::command) takes a program and
    /// its arguments as they are.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use sandbox_process::Termination;
    ///
    /// # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
    /// let outcome = process.exec("ls | wc -l").cwd("src").env("LC_ALL", "C").await?;
    /// println!("{:?}: {}", outcome.exit_code(), outcome.stdout_lossy());
    ///
    /// let outcome = process.exec("sleep 10").timeout(Duration::from_secs(5)).await?;
    /// assert_eq!(outcome.termination, Termination::TimedOut);
    /// # Ok(())
    /// # }
    /// ```
    pub fn exec(&self, command: impl Into<String>) -> Exec {
        Exec::new(self.client.clone(), command.into())
    }

    /// Returns a command that runs a program with arguments, without quoting: await it to run the command to its end, or
    /// [`spawn`](Command::spawn) it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
    /// let outcome = process.command("make").arg("-j8").args(["CC=gcc", "all"]).cwd("src").await?;
    /// assert!(outcome.success());
    /// # Ok(())
    /// # }
    /// ```
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        Command::new(self.client.clone(), program.as_ref())
    }

    /// Returns a program to run, in the language of the [toolbox](ProcessBuilder::toolbox) by default: await it to run the program
    /// to its end.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
    /// let outcome = process.code_run("import sys; print(sys.argv[1:])").arg("it's").await?;
    /// assert_eq!(outcome.stdout, "[\"it's\"]\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn code_run(&self, code: impl Into<String>) -> CodeRun {
        CodeRun::new(self.client.clone(), code.into())
    }

    /// Returns a handle to a command that runs on after its [soft limit](Exec::soft_timeout), by the
    /// [id](crate::Outcome::still_running) of its outcome. Whether it exists is not checked.
    pub fn background(&self, id: impl AsRef<str>) -> BackgroundCommand {
        BackgroundCommand::new(self.client.clone(), id.as_ref())
    }
}

/// Sessions.
impl Process {
    /// Returns a session to create, with an id of the caller's choice: await it to start its shell.
    /// Returns a session to create, with an id of the caller's choice; await it to start its shell.
    ///
    /// # Examples
    ///
    /// See [`Session`].
    pub fn create_session(&self, id: impl Into<String>) -> CreateSession {
        CreateSession::new(self.client.clone(), id.into())
    }

    /// Returns a handle to a session by its id. Whether it exists is not checked.
    pub fn session(&self, id: impl AsRef<str>) -> Session {
        Session::new(self.client.clone(), id.as_ref())
    }

    /// Lists the sessions, without the entrypoint's.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`version`](Self::version).
    pub async fn list_sessions(&self) -> Result<Vec<SessionInfo>, Error> {
        self.client.ready().await?.list_sessions().await
    }

    /// Returns the session of the command that the daemon was started with.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if the daemon was started without a command.
    #[doc(alias = "get_entrypoint_session")]
    pub async fn entrypoint_session(&self) -> Result<SessionInfo, Error> {
        self.client.ready().await?.entrypoint_session().await
    }

    /// Returns what the command that the daemon was started with has written so far.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`entrypoint_session`](Self::entrypoint_session).
    #[doc(alias = "get_entrypoint_logs")]
    pub async fn entrypoint_logs(&self) -> Result<Logs, Error> {
        let api = self.client.ready().await?;
        api.logs(LogSource::Entrypoint).await.map(Logs::from)
    }

    /// Reads the log of the command that the daemon was started with as it is written, as
    /// [`SessionCommand::follow`](crate::SessionCommand::follow) does.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`entrypoint_session`](Self::entrypoint_session).
    #[doc(alias = "get_entrypoint_logs_async")]
    pub async fn follow_entrypoint(&self, options: LogOptions) -> Result<LogStream, Error> {
        let api = self.client.ready().await?;
        api.follow_log(LogSource::Entrypoint, options).await
    }
}

/// Terminals.
impl Process {
    /// Returns a terminal with an id of the caller's choice, to be created: await it to create the terminal and connect to it.
    ///
    /// # Examples
    ///
    /// See [`Pty`].
    #[doc(alias = "create_pty_session")]
    pub fn create_pty(&self, id: impl Into<String>) -> CreatePty {
        CreatePty::new(self.client.clone(), id.into())
    }

    /// Returns a handle to a terminal by its id. Whether it exists is not checked.
    pub fn pty(&self, id: impl AsRef<str>) -> Pty {
        Pty::new(self.client.clone(), id.as_ref())
    }

    /// Lists the terminals.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`version`](Self::version).
    #[doc(alias = "list_pty_sessions")]
    pub async fn list_ptys(&self) -> Result<Vec<PtyInfo>, Error> {
        self.client.ready().await?.list_ptys().await
    }
}

/// Interpreters.
impl Process {
    /// Returns an interpreter context, to be created: await it.
    ///
    /// # Examples
    ///
    /// See [`Context`].
    pub fn create_context(&self, language: Language) -> CreateContext {
        CreateContext::new(self.client.clone(), language)
    }

    /// Returns a handle to an interpreter context by its id. Whether it exists is not checked.
    pub fn context(&self, id: impl AsRef<str>) -> Context {
        Context::new(self.client.clone(), Some(id.as_ref()))
    }

    /// Returns a handle to the default context: for Python, shared by all clients, and there without being created.
    pub fn default_context(&self) -> Context {
        Context::new(self.client.clone(), None)
    }

    /// Lists the interpreter contexts, without the default one.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`version`](Self::version).
    pub async fn list_contexts(&self) -> Result<Vec<ContextInfo>, Error> {
        self.client.ready().await?.list_contexts().await
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("api", self.client.api())
            .field("toolbox", self.client.toolbox())
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
    fn the_url_names_the_transport() {
        let transport = |builder: ProcessBuilder| format!("{:?}", builder.build().unwrap().api());
        assert!(transport(Process::builder("http://h:1")).starts_with("HttpTransport"));
        let grpc = Process::connect("grpc://h:1");
        if cfg!(feature = "grpc") {
            let grpc = format!("{:?}", grpc.unwrap().api());
            assert!(grpc.starts_with("GrpcTransport"), "{grpc}");
        } else {
            assert_eq!(grpc.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        #[cfg(feature = "grpc")]
        assert!(transport(Process::builder("http://h:1").grpc()).starts_with("GrpcTransport"));
    }
}
