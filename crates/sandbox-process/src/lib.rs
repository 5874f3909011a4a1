//! Runs commands and code in a sandbox: a client, with handles in the words of [`std::process`].
//!
//! ```
//! # #[cfg(feature = "embedded")]
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use sandbox_process::{Language, Process, Termination};
//!
//! let process = Process::local().await?; // or Process::connect("http://127.0.0.1:2280")?
//!
//! // A program with arguments, and a text for a shell.
//! let outcome = process.command("printf").args(["%s", "it's"]).await?;
//! assert_eq!(outcome.stdout, "it's");
//! let outcome = process.exec("echo begun; sleep 60").timeout(Duration::from_millis(200)).await?;
//! assert_eq!(outcome.termination, Termination::TimedOut);
//! assert_eq!(outcome.stdout, "begun\n");
//!
//! // A command that runs.
//! let mut running = process.exec("cat; exit 3").spawn().piped_stdin().kill_on_drop().await?;
//! drop(running.stdin());
//! assert_eq!(running.wait().await?.exit_code(), Some(3));
//!
//! // A persistent shell session.
//! let session = process.create_session("work").await?;
//! session.run("cd /tmp").await?;
//! assert_eq!(session.run("pwd").await?.stdout, "/tmp\n");
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "embedded"))]
//! # fn main() {}
//! ```
//!
//! # Overview
//!
//! | to | call | and get |
//! |---|---|---|
//! | connect to a daemon | [`Process::connect`], [`Process::builder`], [`Process::from_env`] | [`Process`] |
//! | create sandboxes, and find them | [`Sandboxes`] | [`Sandbox`], and its [`Process`](Sandbox::process) |
//! | embed a daemon | `Process::local` | [`Process`] |
//! | run a program, without quoting | [`Process::command`]`(..).await` | [`Outcome`] |
//! | run a shell command | [`Process::exec`]`(..).await` | [`Outcome`] |
//! | limit what a run may use, and isolate it | [`Exec::timeout`], [`Exec::memory_limit`], [`Exec::isolation`] | an [`Outcome`] whose [`Termination`] names the limit |
//! | follow a command, send it input and signals | [`Exec::spawn`]`().await` | [`Running`] |
//! | run Python, JavaScript, … | [`Process::code_run`]`(..).await` | [`Outcome`], with charts |
//! | run commands that share a shell | [`Process::create_session`], [`Session::run`] | [`Session`], [`Outcome`] |
//! | start a command in the background, and find it again | [`Session::spawn`]`(..).await` | [`SessionCommand`] |
//! | use a terminal | [`Process::create_pty`]`(..).await`, [`Pty::attach`] | [`PtyHandle`] |
//! | run code that shares variables | [`Process::create_context`], [`Context::run`] | [`Context`], [`Outcome`] |
//! | read, write and transfer files | [`Process::files`] | [`Files`] |
//! | do the same without `async` | [`blocking::Process`], [`blocking::Sandboxes`] | handles of [`blocking`] |
//! | use the names of Daytona's SDKs | the methods in [`sdk`] | |
//!
//! A non-zero exit code, a death by signal, a time limit that expired and a failed start are outcomes ([`Termination`]). An [`Error`]
//! means that there is no outcome; [`Error::delivery`] says whether the command may have run all the same.
//!
//! Builders do nothing before they are awaited. Handles and builders own what they need: they are `Send` and `'static`, and can be
//! moved to another task. The [`guide`] has a page for each topic.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `embedded` | yes | `Process::local`: the daemon, in this process; on Unix alone |
//! | `grpc` | no | `grpc://`, `grpcs://` and `grpc+unix:` URLs |
//! | `typescript` | no | TypeScript in the embedded daemon, by a compiler that takes half a minute to build |
//!
//! On systems that are not Unix, turn the default features off; transfers of local files and directories and Unix sockets are not
//! there then. That is type-checked on Linux with these parts left out, and not tested.
//!
//! # Security
//!
//! By default the daemon isolates nothing: what it runs has the rights of the daemon's user. Run it in a container or a virtual machine,
//! create [sandboxes](Sandboxes), or isolate each run by [`Exec::isolation`]; `SECURITY.md` of the repository says what that stops.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod options;

mod argv;
mod background;
pub mod blocking;
mod client;
mod code;
mod context;
#[cfg(feature = "embedded")]
mod daemon;
mod exec;
mod files;
pub mod guide;
mod io;
mod kill;
#[cfg(feature = "embedded")]
mod local;
mod next;
mod outcome;
mod process;
mod pty;
mod pty_handle;
mod running;
mod sandboxes;
pub mod sdk;
mod session;
mod session_command;
mod toolbox;

pub use background::BackgroundCommand;
pub use code::CodeRun;
pub use context::{Context, CreateContext, RunCode, RunningCode};
pub use exec::{Command, Exec, Spawn};
#[cfg(all(unix, not(sandbox_portable)))]
pub use files::Transfer;
pub use files::{FileReader, FileWriter, Files};
pub use io::{InputWriter, OutputReader};
#[cfg(feature = "embedded")]
pub use local::LocalBuilder;
pub use outcome::{ExecutionError, Logs, Outcome};
pub use process::{Process, ProcessBuilder};
pub use pty::{Attach, CreatePty, Pty};
pub use pty_handle::{PtyHandle, PtyResult};
pub use running::Running;
pub use sandboxes::{
    ControlAddress, CreateSandbox, ListSandboxes, Sandbox, Sandboxes, SandboxesBuilder,
};
#[doc(no_inline)]
pub use sdk::{
    AsyncHandler, CodeInterpreter, CodeRunParams, ExecuteResponse, ExecutionArtifacts,
    OutputHandler, SessionCommandLogsResponse, SessionExecuteRequest, SessionExecuteResponse,
    SyncHandler,
};
pub use session::{CreateSession, Session, SessionRun, SessionSpawn};
pub use session_command::SessionCommand;
pub use toolbox::{CodeToolbox, JavaScriptToolbox, PythonToolbox, TypeScriptToolbox};

/// The bytes that output is made of.
pub use bytes::Bytes;
/// The charts that code shows.
pub use sandbox_charts as charts;
pub use sandbox_charts::{Chart, ChartType};
pub use sandbox_logcodec::{Channel, SessionCommandLogs, demux_log, parse_session_command_logs};
/// The transports, and the operations that they carry.
pub use sandbox_transport as transport;
pub use sandbox_transport::{
    Access, ArchiveSummary, CallOptions, CommandInfo, ContextInfo, Delivery, Display, Error,
    ErrorKind, EventStream, ExecControl, ExecEvent, FileContent, FileInfo, FileKind, FilesApi,
    FoundLine, InterpreterEvent, InterpreterOutcome, InvalidPtySize, Isolation, IsolationLevel,
    IsolationSupport, Language, Limit, LimitSupport, LogEvent, LogOptions, LogStream, Matches,
    Network, Permissions, PreviewUrl, ProcessApi, PtyControl, PtyEvent, PtyInfo, PtySize,
    ReplaceOutcome, SandboxInfo, SandboxState, SessionInfo, Signal, Termination, Truncation,
    UnknownLanguage, UnknownSignal, Usage,
};

/// Runs the examples of the README.
#[cfg(all(doctest, feature = "embedded"))]
#[doc = include_str!("../README.md")]
struct Readme;
