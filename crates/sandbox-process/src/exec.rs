//! Commands: as a text for a shell, or as a program and its arguments.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use sandbox_transport::{
    Error, ExecRequest, ExecStreamRequest, Isolation, PtySize, ResourceLimits,
};

use crate::argv::command_text;
use crate::client::{Client, directory};
use crate::outcome::Outcome;
use crate::running::Running;

/// What is run, however it is waited for.
#[derive(Debug, Clone)]
struct Run {
    client: Client,
    what: What,
    cwd: Option<PathBuf>,
    env: BTreeMap<String, String>,
    timeout: Option<Duration>,
    soft_timeout: Option<Duration>,
    merge_stderr: bool,
    limits: ResourceLimits,
    isolation: Option<Isolation>,
}

#[derive(Debug, Clone)]
enum What {
    /// A text that the shell evaluates.
    Text(String),
    /// A program, and its arguments.
    Words(OsString, Vec<OsString>),
}

impl What {
    /// Adds an argument to the words; a text has none.
    fn push(&mut self, argument: &OsStr) {
        if let Self::Words(_, arguments) = self {
            arguments.push(argument.to_owned());
        }
    }
}

impl Run {
    fn new(client: Client, what: What) -> Self {
        Self {
            client,
            what,
            cwd: None,
            env: BTreeMap::new(),
            timeout: None,
            soft_timeout: None,
            merge_stderr: false,
            limits: ResourceLimits::default(),
            isolation: None,
        }
    }

    fn request(&self) -> Result<ExecRequest, Error> {
        Ok(ExecRequest {
            command: match &self.what {
                What::Text(text) => text.clone(),
                What::Words(program, arguments) => command_text(program, arguments)?,
            },
            cwd: directory(self.cwd.as_deref())?,
            env: self.env.clone(),
            timeout: self.timeout,
            soft_timeout: self.soft_timeout,
            split_output: Some(!self.merge_stderr),
            tty: None,
            limits: self.limits,
            isolation: self.isolation.clone(),
        })
    }

    async fn execute(self) -> Result<Outcome, Error> {
        let request = self.request()?;
        let outcome = self.client.ready().await?.execute(request).await?;
        Ok(outcome.into())
    }
}

/// The methods that all forms of a command have.
macro_rules! run_options {
    ($($field:tt).+) => {
        cwd_option!($($field).+.cwd);
        env_options!($($field).+.env);
        timeout_option!($($field).+.timeout);
        soft_timeout_option!($($field).+.soft_timeout);
        limit_options!($($field).+.limits);
        isolation_option!($($field).+.isolation);

        /// Sends stderr where stdout goes, as `2>&1` does, so that both are in the order in which they were written. Default: they
        /// are separate.
        pub fn merge_stderr(mut self) -> Self {
            self.$($field).+.merge_stderr = true;
            self
        }
    };
}

/// A shell command to run; made by [`Process::exec`](crate::Process::exec).
///
/// Await it to run it to its end: its standard input is empty then. [`spawn`](Self::spawn) starts it and returns a handle, by which
/// its output is read while it runs.
///
/// The shell is the daemon's, neither interactive nor a login shell. To run a program with given arguments, use
/// [`Process::command`](crate::Process::command), which needs no quoting.
///
/// # Cancel safety
///
/// The request is sent when the future is first polled. If the future is dropped after that, the command runs on to its end or
/// its time limit. To kill it then, use [`spawn`](Self::spawn) and [`kill_on_drop`](Spawn::kill_on_drop).
///
/// # Errors
///
/// Returns an error of kind [`InvalidInput`](crate::ErrorKind::InvalidInput) if the command is blank or an option is not valid,
/// [`Connect`](crate::ErrorKind::Connect), [`Closed`](crate::ErrorKind::Closed) or [`Timeout`](crate::ErrorKind::Timeout) if the
/// daemon did not respond, and [`Unauthorized`](crate::ErrorKind::Unauthorized) if it wants another token. Exit codes, signals,
/// time limits and failed starts are [outcomes](Outcome::termination).
#[derive(Debug, Clone)]
#[must_use = "nothing runs before it is awaited"]
pub struct Exec {
    run: Run,
}

impl Exec {
    pub(crate) fn new(client: Client, text: String) -> Self {
        Self {
            run: Run::new(client, What::Text(text)),
        }
    }

    run_options!(run);

    /// Starts the command instead of waiting for its end: await what this returns. *Extension* of this project's daemon.
    pub fn spawn(self) -> Spawn {
        Spawn::new(self.run)
    }
}

impl IntoFuture for Exec {
    type Output = Result<Outcome, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run.execute())
    }
}

/// A program to run with arguments; made by [`Process::command`](crate::Process::command).
///
/// As [`std::process::Command`], it takes each argument as it is: nothing in it is special to a shell. On Unix, arguments may hold any
/// byte but NUL. The program is looked up on the `PATH` unless its name has a slash.
///
/// Await it to run it to its end, or [`spawn`](Self::spawn) it. Cancel safety and errors are those of [`Exec`]; in addition, a program
/// that is empty or begins with `-`, and a word with a NUL, are errors of kind
/// [`InvalidInput`](crate::ErrorKind::InvalidInput). A program that does not exist exits with code 127, one that cannot be run
/// with 126.
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
/// let outcome = process.command("printf").arg("%s\n").args(["it's", "$HOME; ls"]).await?;
/// assert_eq!(outcome.stdout, "it's\n$HOME; ls\n");
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "embedded"))]
/// # fn main() {}
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing runs before it is awaited"]
pub struct Command {
    run: Run,
}

impl Command {
    pub(crate) fn new(client: Client, program: &OsStr) -> Self {
        Self {
            run: Run::new(client, What::Words(program.to_owned(), Vec::new())),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.run.what.push(argument.as_ref());
        self
    }

    /// Adds several arguments.
    pub fn args<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        for argument in arguments {
            self.run.what.push(argument.as_ref());
        }
        self
    }

    run_options!(run);

    /// Starts the program instead of waiting for its end: await what this returns. *Extension* of this project's daemon.
    pub fn spawn(self) -> Spawn {
        Spawn::new(self.run)
    }
}

impl IntoFuture for Command {
    type Output = Result<Outcome, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run.execute())
    }
}

/// A command to start; made by [`Exec::spawn`] and [`Command::spawn`]. Await it to start the command: the result is a [`Running`].
///
/// *Extension* of this project's daemon.
///
/// # Cancel safety
///
/// The request is sent when the future is first polled. If the future is dropped after that, the command may have started, and runs
/// on, unless it is to be [killed](Self::kill_on_drop).
///
/// # Errors
///
/// Those of [`Exec`], and in addition an error of kind [`Unsupported`](crate::ErrorKind::Unsupported) with other daemons, and
/// of kind [`InvalidInput`](crate::ErrorKind::InvalidInput) if the command cannot be started, as in a directory that does not
/// exist.
#[derive(Debug, Clone)]
#[must_use = "nothing starts before it is awaited"]
pub struct Spawn {
    run: Run,
    piped_stdin: bool,
    kill_on_drop: bool,
    tty: Option<PtySize>,
}

impl Spawn {
    fn new(run: Run) -> Self {
        Self {
            run,
            piped_stdin: false,
            kill_on_drop: false,
            tty: None,
        }
    }

    /// Connects the command's standard input to [`Running::stdin`]. Default: it is empty.
    pub fn piped_stdin(mut self) -> Self {
        self.piped_stdin = true;
        self
    }

    /// Kills the command with all its processes when the [`Running`] is dropped before the command's end. Default: it runs on.
    ///
    /// A command of an embedded daemon is killed before `drop` returns. To any other daemon the connection is closed, upon
    /// which the daemon ends the command (TERM, and KILL after 100 ms); that holds even if the runtime or this process ends
    /// immediately after the drop.
    pub fn kill_on_drop(mut self) -> Self {
        self.kill_on_drop = true;
        self
    }

    /// Runs the command on a new terminal of this size, each side 1 to 1000, in the place of pipes. Default: pipes.
    ///
    /// Everything that it writes is stdout then, `TERM` is `xterm-256color` unless it is set, and
    /// [`Running::resize`] changes the size. Its [input](Self::piped_stdin) is typed: `\x03` (Ctrl-C) interrupts what runs in the
    /// foreground, also if that reads nothing, and shutting the input down types Ctrl-D. Without input, that is typed immediately.
    /// When the command ends, its terminal is hung up, as when a window is closed.
    ///
    /// A size that no terminal has is an error of kind [`InvalidInput`](crate::ErrorKind::InvalidInput).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "embedded")]
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), sandbox_process::Error> {
    /// use sandbox_process::{Process, PtySize};
    ///
    /// let process = Process::local().await?;
    /// let size = PtySize { rows: 40, cols: 120 };
    /// let mut running = process.exec("stty size").spawn().tty(size).await?;
    /// assert_eq!(running.wait().await?.stdout, "40 120\r\n");
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "embedded"))]
    /// # fn main() {}
    /// ```
    pub fn tty(mut self, size: PtySize) -> Self {
        self.tty = Some(size);
        self
    }

    async fn start(self) -> Result<Running, Error> {
        let request = ExecStreamRequest {
            request: ExecRequest {
                tty: self.tty,
                ..self.run.request()?
            },
            input: self.piped_stdin,
            kill_on_drop: self.kill_on_drop,
        };
        let client = self.run.client;
        let connection = client.ready().await?.execute_stream(request).await?;
        Ok(Running::new(
            client,
            connection,
            self.piped_stdin,
            self.kill_on_drop,
        ))
    }
}

impl IntoFuture for Spawn {
    type Output = Result<Running, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
