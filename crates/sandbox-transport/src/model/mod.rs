//! What operations take and return, independent of any encoding.
//!
//! Output is bytes, a time is a [`SystemTime`](std::time::SystemTime), a limit is a [`Duration`](std::time::Duration). What an
//! encoding cannot carry is lost in that encoding alone.

mod display;
mod file;
mod info;
mod isolation;
mod language;
mod outcome;
mod request;
mod resources;
mod sandbox;
mod signal;
mod size;
mod termination;

pub use display::Display;
pub use file::{
    ArchiveSummary, FileInfo, FileKind, FoundLine, Matches, Permissions, ReplaceOutcome,
};
pub use info::{Capabilities, CommandInfo, ContextInfo, Metrics, PtyInfo, SessionInfo};
pub(crate) use isolation::Bind;
pub use isolation::{Access, Isolation, IsolationLevel, IsolationSupport, Network};
pub use language::{Language, UnknownLanguage};
pub use outcome::{CommandOutput, Outcome, SessionOutcome, Truncation};
pub use request::{
    CommandInput, ContextRequest, EnvUpdate, ExecRequest, ExecStreamRequest, InterpretRequest,
    LogOptions, LogSource, PtyAttachRequest, PtyRequest, RunRequest, SessionExecuteRequest,
    SessionRequest,
};
pub use resources::{Limit, LimitSupport, ResourceLimits, Usage};
pub use sandbox::{PreviewUrl, SandboxInfo, SandboxPage, SandboxRequest, SandboxState};
pub use signal::{Signal, UnknownSignal};
pub use size::{InvalidPtySize, PtySize};
pub use termination::Termination;
