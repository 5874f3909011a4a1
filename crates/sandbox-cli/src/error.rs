//! What keeps a command from being run.

use std::io;
use std::path::PathBuf;

use sandbox_daemon::TokenError;
use sandbox_daemon::cli::ServeError;
use sandbox_process::{Delivery, ErrorKind, SandboxState};
use serde_json::{Value, json};
use thiserror::Error;

use crate::exit::Exit;

#[derive(Debug, Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Process(#[from] sandbox_process::Error),
    #[error(transparent)]
    Control(sandbox_process::Error),
    #[error("the sandbox `{name}` is {state}; `sandbox start {name}` starts it")]
    NotStarted { name: String, state: SandboxState },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot read {}", path.display())]
    Program { path: PathBuf, source: io::Error },
    #[error("{} is not UTF-8 text", path.display())]
    NotText { path: PathBuf },
    #[error("cannot infer the language of {}", path.display())]
    Language { path: PathBuf },
    #[error("cannot save a chart as {}", path.display())]
    SaveChart { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Signal(sandbox_process::UnknownSignal),
    #[error("{0}")]
    Usage(&'static str),
    #[error("{} is a directory", path.display())]
    IsDirectory { path: PathBuf },
    #[error("this needs a terminal")]
    NoTerminal,
    #[error("the input device is not a terminal")]
    InputNoTerminal,
    #[error("cannot use the terminal")]
    Terminal(#[source] io::Error),
    #[error("cannot write the output")]
    Write(#[source] io::Error),
    #[error("cannot use {} for the daemon in the background", path.display())]
    Private { path: PathBuf, source: io::Error },
    #[error("cannot start the daemon in the background")]
    Background(#[source] io::Error),
    #[error("cannot end the daemon in the background")]
    Stop(#[source] io::Error),
    #[error("cannot end the daemon in the background: its process is not visible from here")]
    StopUnseen,
    #[error("there is no place for the state directory: neither HOME nor SANDBOX_STATE_DIR is set")]
    NoStateDir,
    #[error("cannot use {} for a control plane", path.display())]
    State { path: PathBuf, source: io::Error },
    #[error("a control plane runs already with {}", path.display())]
    IsUp { path: PathBuf },
    #[error("no control plane runs with {}", path.display())]
    NotUp { path: PathBuf },
    #[error("cannot start the control plane")]
    Up(#[source] io::Error),
    #[error("cannot end the control plane")]
    Down(#[source] io::Error),
    #[error(transparent)]
    Provider(#[from] sandbox_provider::Error),
    #[error(transparent)]
    ServeControl(#[from] sandbox_control::ServeError),
    #[error("cannot start")]
    Runtime(#[source] io::Error),
}

impl CliError {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Signal(_) | Self::Language { .. } => Exit::USAGE,
            Self::Serve(error) if error.is_usage() => Exit::USAGE,
            Self::Program { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::USAGE,
            Self::Process(error) | Self::Control(error) => match error.kind() {
                ErrorKind::NotFound => Exit::NOT_FOUND,
                ErrorKind::InvalidInput
                    if error.delivery() == Delivery::NotSent
                        || error.code() == Some("BAD_REQUEST") =>
                {
                    Exit::USAGE
                }
                _ => Exit::FAILED,
            },
            // What isolates sandboxes is not to be had here.
            Self::Provider(sandbox_provider::Error::Unsupported { .. }) => Exit::NOT_STARTED,
            _ => Exit::FAILED,
        }
    }

    /// Reports the error on standard error, as text or as one JSON object, and returns the exit code for it.
    pub(crate) fn report(&self, is_json: bool) -> Exit {
        if is_json {
            sandbox_daemon::cli::complain(&format!("{}\n", self.to_json()));
        } else {
            sandbox_daemon::cli::report(self, self.hint());
        }
        self.exit()
    }

    /// Returns the error as an object for programs, which read standard error with `--json`.
    fn to_json(&self) -> Value {
        let causes = &chain(self)[1..];
        let code = match self {
            Self::Process(error) | Self::Control(error) => error.code(),
            _ => None,
        };
        json!({
            "error": self.to_string(),
            "causes": causes,
            "code": code,
            "hint": self.hint(),
        })
    }

    /// What to do about it, if that can be said.
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Serve(error) => error.hint(),
            Self::IsDirectory { .. } => Some("copy or remove a directory with -r"),
            Self::NoStateDir => Some("name one with --state-dir DIR"),
            Self::State { .. } => Some("name another directory with --state-dir DIR"),
            Self::IsUp { .. } => Some(
                "`sandbox env` prints its address, and `sandbox down` ends it; or name another directory with --state-dir DIR",
            ),
            Self::NotUp { .. } => Some("start one with `sandbox up`"),
            Self::ServeControl(sandbox_control::ServeError::Listen { .. }) => {
                Some("choose another address with --listen HOST:PORT")
            }
            #[cfg(feature = "ssh")]
            Self::ServeControl(sandbox_control::ServeError::Ssh { .. }) => {
                Some("choose another address with --ssh HOST:PORT, or --no-ssh")
            }
            Self::StopUnseen => Some("it runs outside of this container; run `sandbox stop` there"),
            Self::InputNoTerminal => Some("leave out -i or -t"),
            Self::Language { .. } => Some("name it with --language python"),
            Self::Control(error) => match error.kind() {
                ErrorKind::Connect => Some("start a control plane with `sandbox up`"),
                ErrorKind::Unauthorized | ErrorKind::InvalidInput
                    if error.status().is_none_or(|status| status == 401) =>
                {
                    Some(
                        "set DAYTONA_API_URL and DAYTONA_API_KEY; for the control plane of this machine: eval \"$(sandbox env)\"",
                    )
                }
                ErrorKind::NotFound => Some("`sandbox list` shows the sandboxes"),
                _ => None,
            },
            Self::Process(error) => match error.kind() {
                ErrorKind::Connect if speaks_no_tls(error) => {
                    Some("the daemon there does not speak TLS; write http:// or grpc://")
                }
                ErrorKind::Connect => {
                    Some("is the daemon running there? `sandbox serve` starts one")
                }
                ErrorKind::InvalidInput if lacks_scheme(error) => {
                    Some("write it with its scheme, such as http://localhost:2280")
                }
                ErrorKind::Conflict if error.code() == Some("SESSION_ENDED") => {
                    Some("`sandbox session rm` removes it")
                }
                ErrorKind::Conflict if error.to_string().starts_with("a session with the id") => {
                    Some("`sandbox session list` shows it, and `sandbox session rm` removes it")
                }
                ErrorKind::Unauthorized => {
                    Some("pass the daemon's token with --token-file FILE or SANDBOX_TOKEN")
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// Returns whether a handshake of TLS met something else.
fn speaks_no_tls(error: &sandbox_process::Error) -> bool {
    chain(error)
        .iter()
        .any(|cause| cause.contains("InvalidContentType"))
}

/// Returns whether a URL is only a host and a port.
fn lacks_scheme(error: &sandbox_process::Error) -> bool {
    let is_bare = |cause: &String| cause.contains("is neither http") && !cause.starts_with("'/");
    chain(error).iter().any(|cause| {
        is_bare(cause)
            && !cause
                .split("' is")
                .next()
                .is_some_and(|url| url.contains("://"))
    })
}

/// Returns an error and its causes.
fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect()
}
