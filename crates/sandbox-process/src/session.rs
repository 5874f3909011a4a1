//! Persistent shell sessions.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sandbox_transport::{Error, SessionExecuteRequest, SessionInfo, SessionRequest};

use crate::client::{Client, directory};
use crate::outcome::Outcome;
use crate::session_command::SessionCommand;

/// A session to create; made by [`Process::create_session`](crate::Process::create_session). Await it to start the session's
/// shell: the result is a [`Session`].
///
/// Its limits are those of the shell and of all that it starts, together.
///
/// # Cancel safety
///
/// If the future is dropped after it was polled, the session may or may not exist.
///
/// # Errors
///
/// Returns an error of kind [`Conflict`](crate::ErrorKind::Conflict) if the id is in use, and of kind
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) if it is not valid, as an empty one.
#[derive(Debug, Clone)]
#[must_use = "nothing is created before it is awaited"]
pub struct CreateSession {
    client: Client,
    request: SessionRequest,
}

impl CreateSession {
    pub(crate) fn new(client: Client, id: String) -> Self {
        Self {
            client,
            request: SessionRequest::new(id),
        }
    }

    limit_options!(request.limits);
    isolation_option!(request.isolation);

    async fn create(self) -> Result<Session, Error> {
        let session = Session::new(self.client.clone(), &self.request.id);
        let api = self.client.ready().await?;
        api.create_session(self.request).await?;
        Ok(session)
    }
}

impl IntoFuture for CreateSession {
    type Output = Result<Session, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.create())
    }
}

/// A persistent shell session: a handle by its id.
///
/// A session is a shell in which commands run one after another, and in which what they change remains: working directory,
/// variables, functions. A command that is started while another one runs waits for its turn. A command that ends the shell, such
/// as `exit`, ends the session: [`Outcome::session_ended`] and [`info`](Self::info) report it, and further commands are errors of
/// kind [`Conflict`](crate::ErrorKind::Conflict) until the session is deleted.
///
/// The handle is cheap to clone. Dropping it changes nothing; [`delete`](Self::delete) ends the session.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "embedded")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), sandbox_process::Error> {
/// use sandbox_process::Process;
///
/// let process = Process::local().await?;
/// let session = process.create_session("work").await?;
/// session.run("cd /tmp; NAME=you").await?;
/// assert_eq!(session.run("echo $PWD $NAME").await?.stdout, "/tmp you\n");
/// session.delete().await?;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "embedded"))]
/// # fn main() {}
/// ```
#[derive(Debug, Clone)]
pub struct Session {
    client: Client,
    id: Arc<str>,
}

impl Session {
    pub(crate) fn new(client: Client, id: &str) -> Self {
        Self {
            client,
            id: id.into(),
        }
    }

    /// Returns the id of the session.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the session's commands, and how its shell ended, if it did.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the session does not exist.
    #[doc(alias = "get_session")]
    pub async fn info(&self) -> Result<SessionInfo, Error> {
        self.client.ready().await?.get_session(&self.id).await
    }

    /// Returns a command that runs in the session's shell: await it to run the command to its end.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(session: sandbox_process::Session) -> Result<(), sandbox_process::Error> {
    /// let outcome = session.run("make test").await?;
    /// println!("{:?}: {}", outcome.exit_code(), outcome.stdout_lossy());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "execute_session_command")]
    pub fn run(&self, command: impl Into<String>) -> SessionRun {
        SessionRun(Run::new(self, command.into()))
    }

    /// Returns a command that is started in the session's shell: await it to start the command and get a handle to it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(session: sandbox_process::Session) -> Result<(), sandbox_process::Error> {
    /// let command = session.spawn("read name; echo hello $name").await?;
    /// command.write_line("you").await?;
    /// println!("{:?}", command.wait().await?.stdout);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "execute_session_command")]
    #[doc(alias = "run_async")]
    pub fn spawn(&self, command: impl Into<String>) -> SessionSpawn {
        let mut run = Run::new(self, command.into());
        run.request.run_async = true;
        SessionSpawn(run)
    }

    /// Returns a handle to a command by its id. Whether it exists is not checked.
    pub fn command(&self, id: impl Into<String>) -> SessionCommand {
        SessionCommand::new(self.client.clone(), Arc::clone(&self.id), id.into())
    }

    /// Deletes the session: kills every process that it started and discards its logs.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session may or may not be deleted.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the session does not exist, and of kind
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for the entrypoint's session.
    #[doc(alias = "delete_session")]
    pub async fn delete(&self) -> Result<(), Error> {
        self.client.ready().await?.delete_session(&self.id).await
    }
}

#[derive(Debug, Clone)]
struct Run {
    session: Session,
    request: SessionExecuteRequest,
    cwd: Option<PathBuf>,
    env: BTreeMap<String, String>,
    timeout: Option<Duration>,
}

impl Run {
    fn new(session: &Session, command: String) -> Self {
        Self {
            session: session.clone(),
            request: SessionExecuteRequest::new(command),
            cwd: None,
            env: BTreeMap::new(),
            timeout: None,
        }
    }

    async fn send(self) -> Result<sandbox_transport::SessionOutcome, Error> {
        let request = SessionExecuteRequest {
            cwd: directory(self.cwd.as_deref())?,
            env: self.env,
            timeout: self.timeout,
            ..self.request
        };
        let Session { client, id } = &self.session;
        client.ready().await?.session_execute(id, request).await
    }
}

macro_rules! session_options {
    () => {
        cwd_option!(0.cwd);
        env_options!(0.env);
        timeout_option!(0.timeout);

        /// Runs the command as this user. *Extension*, and only if the daemon runs as root.
        pub fn user(mut self, name: impl Into<String>) -> Self {
            self.0.request.user = Some(name.into());
            self
        }

        /// Sets the id of the command. *Extension*. Default: a random one.
        pub fn id(mut self, id: impl Into<String>) -> Self {
            self.0.request.command_id = Some(id.into());
            self
        }
    };
}

/// A command to run to its end in a session's shell; made by [`Session::run`]. Its standard input is empty.
///
/// A command with a working directory, variables or a user of its own (*extensions*) runs in a subshell: what it changes
/// does not remain in the session.
///
/// # Cancel safety
///
/// If the future is dropped after it was polled, the command runs on; it is in [`Session::info`].
///
/// # Errors
///
/// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the session does not exist, of kind
/// [`Conflict`](crate::ErrorKind::Conflict) if its shell has ended or the command's id is in use, and of kind
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) if the command is blank or an option is not valid.
#[derive(Debug, Clone)]
#[must_use = "nothing runs before it is awaited"]
pub struct SessionRun(Run);

impl SessionRun {
    session_options!();
}

impl IntoFuture for SessionRun {
    type Output = Result<Outcome, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.0.send().await.map(Outcome::from) })
    }
}

/// A command to start in a session's shell; made by [`Session::spawn`]. Its standard input is open.
///
/// Options, cancel safety and errors are those of [`SessionRun`].
#[derive(Debug, Clone)]
#[must_use = "nothing starts before it is awaited"]
pub struct SessionSpawn(Run);

impl SessionSpawn {
    session_options!();

    /// Leaves the input that the command is sent out of its log. Default: input is logged as stdout, as a terminal shows it.
    pub fn suppress_input_echo(mut self) -> Self {
        self.0.request.suppress_input_echo = true;
        self
    }
}

impl IntoFuture for SessionSpawn {
    type Output = Result<SessionCommand, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let session = self.0.session.clone();
            let started = self.0.send().await?;
            Ok(session.command(started.command_id))
        })
    }
}
