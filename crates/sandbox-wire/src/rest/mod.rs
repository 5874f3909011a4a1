//! Bodies of the HTTP routes.

mod code;
mod error;
mod exec;
mod files;
mod info;
mod interpreter;
mod isolation;
mod pty;
mod resources;
mod sandbox;
mod session;

pub use code::{Artifacts, CodeRunRequest, CodeRunResponse};
pub use error::{ErrorEnvelope, SOURCE_DAEMON};
pub use exec::{ExecuteRequest, ExecuteResponse, OutputTruncation, Termination, TerminationKind};
pub use files::{
    ArchiveSummary, FileInfo, FilesDownloadRequest, Match, PortInUse, PortList, ReplaceRequest,
    ReplaceResult, SearchFilesResponse, UploadedFile,
};
pub use info::{
    DirResponse, Health, InitializeRequest, MessageResponse, SystemMetrics, UpdateEnvRequest,
    Version,
};
pub use interpreter::{
    CreateContextRequest, DEFAULT_CONTEXT, InterpreterContext, ListContextsResponse,
};
pub use isolation::{
    Isolation, IsolationAccess, IsolationBind, IsolationLevel, IsolationNetwork, IsolationSupport,
};
pub use pty::{
    PtyCreateRequest, PtyCreateResponse, PtyListResponse, PtyResizeRequest, PtySessionInfo,
};
pub use resources::{LimitSupport, ResourceLimit, ResourceLimits, ResourceUsage};
pub use sandbox::{
    CreateSandboxRequest, ListSandboxesResponse, PreviewUrl, Sandbox, SandboxLabels,
    ToolboxProxyUrl,
};
pub use session::{
    CreateSessionRequest, ENTRYPOINT_COMMAND, ENTRYPOINT_SESSION, Session, SessionCommand,
    SessionCommandLogsResponse, SessionExecuteRequest, SessionExecuteResponse,
    SessionSendInputRequest, SessionSignalRequest, SignalSpec,
};
