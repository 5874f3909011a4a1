//! The client side of the sandbox daemon's wire.
//!
//! [`ProcessApi`] is the contract of the operations, whatever carries them; [`HttpTransport`] carries them over HTTP, by
//! TCP or through a Unix socket. Most applications use `sandbox-process`, which stands on this crate.
//!
//! ```no_run
//! use sandbox_transport::{HttpTransport, ProcessApi};
//! use sandbox_wire::rest::ExecuteRequest;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = HttpTransport::builder("http://127.0.0.1:2280".parse()?).token("secret").build()?;
//! let request = ExecuteRequest { command: "echo hi".to_owned(), ..ExecuteRequest::default() };
//! assert_eq!(transport.execute(request).await?.result, "hi\n");
//! # Ok(())
//! # }
//! ```
//!
//! A request is sent once: running a command twice is worse than failing. [`Error::delivery`] tells whether a failed one
//! may have been carried out.

#![forbid(unsafe_code)]

mod api;
mod client;
mod connect;
mod endpoint;
mod error;
mod event;
pub mod limits;
mod options;
mod request;
mod retry;
mod token;
mod ws;

pub use api::{ApiFuture, ProcessApi};
pub use client::{HttpTransport, HttpTransportBuilder, SDK_VERSION};
pub use connect::Proxy;
#[cfg(feature = "tls")]
pub use connect::Tls;
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Delivery, Error, ErrorKind};
pub use event::{
    EventStream, ExecConnection, ExecControl, ExecEvent, InterpreterEvent, InterpreterOutcome,
    InterpreterStream, LogEvent, LogStream, PtyConnection, PtyControl, PtyEvent,
};
pub use options::CallOptions;
pub use request::{
    Capabilities, CommandInput, ExecStreamRequest, LogOptions, LogSource, PtyAttachRequest,
};
pub use retry::{Effect, Failure, NoRetries, RetryPolicy, SafeRetries};
pub use token::{TokenFuture, TokenProvider};

/// Which of a command's two outputs a byte belongs to.
pub use sandbox_logcodec::Channel;
