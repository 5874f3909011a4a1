//! A client for the sandbox daemon's wire protocols.
//!
//! [`ProcessApi`] is the contract of the operations, independent of the transport; [`HttpTransport`] sends them over
//! HTTP and WebSockets: by TCP, TLS or a Unix socket, with or without a proxy. It works with this project's daemon and
//! with the stock daemons of Daytona's toolbox API, including those in Daytona's cloud. `GrpcTransport` sends the same
//! operations over gRPC to this project's daemon. Most applications use `sandbox-process`, which is built on this
//! crate.
//!
//! ```no_run
//! use sandbox_transport::{
//!     LogEvent, LogOptions, LogSource, ProcessApi, SessionExecuteRequest, TransportBuilder,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = TransportBuilder::new("http://127.0.0.1:2280".parse()?).token("secret").build()?;
//! transport.create_session("build".into()).await?;
//! let request = SessionExecuteRequest {
//!     run_async: true,
//!     ..SessionExecuteRequest::new("make")
//! };
//! let command = transport.session_execute("build", request).await?.command_id;
//!
//! let source = LogSource::command("build", &command);
//! let mut log = transport.follow_log(source, LogOptions::new()).await?;
//! while let Some(event) = log.next().await {
//!     if let LogEvent::Output { channel, bytes, .. } = event? {
//!         println!("{channel}: {} bytes", bytes.len());
//!     }
//! }
//! let exit_code = transport.session_command("build", &command).await?.exit_code;
//! # Ok(())
//! # }
//! ```
//!
//! # What is sent, and how often
//!
//! By default, a request that may have changed something is not sent again: running a command twice is worse than
//! failing. [`Error::delivery`] reports whether a failed request was not sent, was rejected, or may have been carried
//! out. A [`RetryPolicy`] decides what is repeated; the default, [`SafeRetries`], repeats requests that were never sent
//! and requests that change nothing.
//!
//! # How long it takes
//!
//! Every wait has a deadline; the defaults are in [`limits`], and [`CallOptions`] override them. A connection whose
//! peer disappears silently is detected within 30 s, except for input that fills the kernel's buffers: the kernel
//! itself abandons that after some minutes. If a proxy keeps the connection open, only the proxy can detect that the
//! daemon has disappeared; deadlines still hold.
//!
//! # Which daemons
//!
//! No operation of the protocol needs an extension. Extensions are detected by the daemon's responses: logs come with
//! offsets if the daemon accepts the subprotocol for them, and are otherwise read from the protocol's marker stream.
//! What is not available fails with [`ErrorKind::Unsupported`].
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `tls` | yes | `https://`, client certificates, and HTTP/2 where a daemon offers it |
//! | `grpc` | no | `GrpcTransport`, and `grpc://`, `grpcs://` and `grpc+unix:` URLs |

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod builder;
mod collected;
mod connect;
mod endpoint;
mod error;
mod event;
mod exchange;
mod files;
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "grpc")]
mod grpc;
mod http;
pub mod limits;
mod model;
mod options;
mod resume;
mod retry;
mod source;
mod token;
mod transfer;

pub use api::{ApiFuture, ProcessApi};
pub use builder::{SDK_VERSION, TransportBuilder};
pub use collected::Collected;
pub use connect::Proxy;
#[cfg(feature = "tls")]
pub use connect::Tls;
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Delivery, Error, ErrorKind};
pub use event::{
    EventStream, ExecConnection, ExecControl, ExecEvent, InterpreterEvent, InterpreterOutcome,
    InterpreterStream, LogEvent, LogStream, PtyConnection, PtyControl, PtyEvent,
};
pub use files::FilesApi;
#[cfg(feature = "grpc")]
pub use grpc::GrpcTransport;
pub use http::{ControlPlane, HttpTransport};
pub use model::{
    Access, ArchiveSummary, Capabilities, CommandInfo, CommandInput, CommandOutput, ContextInfo,
    ContextRequest, Display, EnvUpdate, ExecRequest, ExecStreamRequest, FileInfo, FileKind,
    FoundLine, InterpretRequest, InvalidPtySize, Isolation, IsolationLevel, IsolationSupport,
    Language, Limit, LimitSupport, LogOptions, LogSource, Matches, Metrics, Network, Outcome,
    Permissions, PreviewUrl, PtyAttachRequest, PtyInfo, PtyRequest, PtySize, ReplaceOutcome,
    ResourceLimits, RunRequest, SandboxInfo, SandboxPage, SandboxRequest, SandboxState,
    SessionExecuteRequest, SessionInfo, SessionOutcome, SessionRequest, Signal, Termination,
    Truncation, UnknownLanguage, UnknownSignal, Usage,
};
pub use options::CallOptions;
pub use retry::{Effect, Failure, KeyedRetries, NoRetries, RetryPolicy, SafeRetries};
pub use token::{TokenFuture, TokenProvider};
pub use transfer::{FileContent, FileReader};

/// The output of a command that a byte belongs to: stdout or stderr.
pub use sandbox_logcodec::Channel;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
