//! Runs commands and code in a sandbox and gives back everything that happened.
//!
//! A [`Process`] is a sandbox's daemon: one that is [connected](Process::connect) to, or one that this program
//! embeds (`Process::local`).
//!
//! ```
//! # #[cfg(feature = "embedded")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use sandbox_process::{Process, Termination};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let process = Process::local().await?;
//!
//! let response = process.exec("echo $GREETING; exit 3").env("GREETING", "hi").await?;
//! assert_eq!(response.result, "hi\n");
//! assert_eq!(response.exit_code, Some(3));
//!
//! let response = process.exec("echo begun; sleep 60").timeout(Duration::from_millis(200)).await?;
//! assert_eq!(response.termination, Termination::TimedOut);
//! assert_eq!(response.result, "begun\n");
//!
//! let response = process.code_run("import sys; print(sys.argv[1:])").arg("it's").await?;
//! assert_eq!(response.artifacts.stdout, "[\"it's\"]\n");
//! # Ok::<(), sandbox_process::Error>(())
//! # })?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "embedded"))]
//! # fn main() {}
//! ```
//!
//! A non-zero exit code, a death by signal and a time limit that ran out are results ([`Termination`]); an [`Error`] says
//! that there is none, and [whether](Error::delivery) the command may have run all the same.
//!
//! The [`guide`] has a page per topic, and the names of the official SDKs.
//!
//! # Features
//!
//! - `embedded`: `Process::local`, which brings the daemon.
//! - `typescript`: TypeScript in that daemon, which brings a compiler.

#![forbid(unsafe_code)]

pub mod blocking;
mod code;
#[cfg(feature = "embedded")]
mod embedded;
mod exec;
pub mod guide;
mod handler;
mod interpreter;
mod io;
mod kill;
mod process;
mod pty;
mod response;
mod session;
mod stream;
mod toolbox;
mod types;

pub use code::{CodeRun, CodeRunParams};
#[cfg(feature = "embedded")]
pub use embedded::LocalBuilder;
pub use exec::Exec;
pub use handler::{AsyncHandler, OutputHandler, SyncHandler};
pub use interpreter::{CodeInterpreter, CreateContext, ExecutionError, ExecutionResult, RunCode};
pub use io::{Input, Output};
pub use process::{Process, ProcessBuilder};
pub use pty::{CreatePty, PtyHandle, PtyResult};
pub use response::{ExecuteResponse, ExecutionArtifacts};
pub use stream::{ExecOutput, ExecStream};
pub use toolbox::{CodeToolbox, JavaScriptToolbox, PythonToolbox, TypeScriptToolbox};
pub use types::{SessionCommandLogsResponse, SessionExecuteResponse};

/// What terminals show and take.
pub use bytes::Bytes;
/// The charts that code shows.
pub use sandbox_charts as charts;
pub use sandbox_charts::{Chart, ChartType};
pub use sandbox_logcodec::{Channel, SessionCommandLogs, demux_log, parse_session_command_logs};
/// The carriers of the operations.
pub use sandbox_transport as transport;
pub use sandbox_transport::{
    CallOptions, CommandInfo as Command, CommandInput, CommandOutput,
    ContextInfo as InterpreterContext, Delivery, Display as Displayed, Error, ErrorKind,
    EventStream, ExecControl, ExecEvent, InterpreterEvent, InterpreterOutcome, InterpreterStream,
    Language, LogEvent, LogOptions, LogStream, ProcessApi, PtyAttachRequest, PtyControl, PtyEvent,
    PtyInfo as PtySessionInfo, PtySize, SessionExecuteRequest, SessionInfo as Session, Signal,
    Termination, Truncation, UnknownLanguage,
};
