//! The client side of the sandbox daemon's wire.
//!
//! [`ProcessApi`] is the contract of the operations, whatever carries them; [`HttpTransport`] carries them over HTTP and
//! WebSockets: by TCP, TLS or a Unix socket, through a proxy or not. It speaks to this project's daemon and to the stock ones
//! of Daytona's toolbox API, whose cloud it can be pointed at. `GrpcTransport` carries the same over gRPC to this project's
//! daemon. Most applications use `sandbox-process`, which stands on this
//! crate.
//!
//! ```no_run
//! use sandbox_transport::{
//!     HttpTransport, LogEvent, LogOptions, LogSource, ProcessApi, SessionExecuteRequest,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = HttpTransport::builder("http://127.0.0.1:2280".parse()?).token("secret").build()?;
//! transport.create_session("build").await?;
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
//! A request is sent once: running a command twice is worse than failing. [`Error::delivery`] tells whether a failed one
//! was not sent, was rejected, or may have been carried out. What is repeated is a [`RetryPolicy`]'s to say; the default,
//! [`SafeRetries`], repeats what never left and what changes nothing.
//!
//! # How long it takes
//!
//! Every wait has a deadline; the defaults are in [`limits`], and [`CallOptions`] have others. A connection whose other side
//! is gone without a word is noticed within 30 s, but for input that fills the kernel's buffers: the kernel itself gives that
//! up after some minutes. A daemon behind a proxy that keeps the connection is the proxy's to notice; deadlines hold.
//!
//! # Which daemons
//!
//! Nothing here needs an extension. Where a daemon has one, it is seen by what it answers: logs come with offsets where
//! the subprotocol for it is accepted, and are taken from the marker stream of the protocol otherwise; programs that a
//! daemon is too old to run are run as commands. What cannot be had is [`ErrorKind::Unsupported`].
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `tls` | yes | `https://`, client certificates, and HTTP/2 where a daemon offers it |
//! | `grpc` | no | `GrpcTransport`, and `grpc://`, `grpcs://` and `grpc+unix:` URLs |

#![forbid(unsafe_code)]

mod api;
mod builder;
mod collected;
mod connect;
mod endpoint;
mod error;
mod event;
mod exchange;
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

pub use api::{ApiFuture, ProcessApi};
pub use builder::{HttpTransportBuilder, SDK_VERSION};
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
#[cfg(feature = "grpc")]
pub use grpc::GrpcTransport;
pub use http::HttpTransport;
pub use model::{
    Capabilities, CommandInfo, CommandInput, CommandOutput, ContextInfo, ContextRequest, Display,
    EnvUpdate, ExecRequest, ExecStreamRequest, InterpretRequest, InvalidPtySize, Language,
    LogOptions, LogSource, Metrics, Outcome, PtyAttachRequest, PtyInfo, PtyRequest, PtySize,
    RunRequest, SessionExecuteRequest, SessionInfo, SessionOutcome, Signal, Termination,
    Truncation, UnknownLanguage, UnknownSignal,
};
pub use options::CallOptions;
pub use retry::{Effect, Failure, KeyedRetries, NoRetries, RetryPolicy, SafeRetries};
pub use token::{TokenFuture, TokenProvider};

/// Which of a command's two outputs a byte belongs to.
pub use sandbox_logcodec::Channel;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
