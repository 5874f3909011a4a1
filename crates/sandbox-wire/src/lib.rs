//! The data that a sandbox daemon and its clients exchange.
//!
//! Data only: public fields, serde and prost derives, one table of error codes, and the encodings of words in the
//! text of a command, of sockets in a URL, and of file names and bytes in JSON. Nothing here opens a socket, reads a clock or makes
//! decisions; the two sides of the wire do that.
//!
//! - [`rest`]: the bodies of the HTTP routes.
//! - [`ws`]: the messages, close reasons and subprotocols of the WebSocket routes.
//! - [`pb`]: the protobuf messages of the gRPC services, and their stubs.
//! - [`shell`]: words and programs in the text of a command.
//! - [`names`]: file names, which are bytes, as text.
//! - [`unix`]: the URL of a Unix socket.
//! - [`display`]: the contents of a value that code shows, in JSON.
//! - [`ErrorCode`]: every error that either protocol reports.
//!
//! The shapes of `rest` and `ws` are those of Daytona's toolbox "process" API. Fields that only this
//! project's daemon sends or reads are marked *extension*: each is optional, and its absence changes nothing
//! for a stock peer.
//!
//! ```
//! use sandbox_wire::rest::ExecuteRequest;
//!
//! let request: ExecuteRequest = serde_json::from_str(r#"{"command": "make", "timeout": null}"#)?;
//! assert_eq!(serde_json::to_string(&request)?, r#"{"command":"make"}"#);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # What is read and what is written
//!
//! Unknown fields are ignored, `null` in an optional field is the same as its absence, and a kind that a
//! newer peer added reads as `Unknown`. Absent optional fields are not written, except where
//! a type documents otherwise. A required field that is missing is an error, except in an error envelope, which
//! is read from any response of a server or a proxy.
//!
//! # Features
//!
//! None is on by default; the crate is then messages only.
//!
//! | feature | adds |
//! |---|---|
//! | `grpc-client` | the stubs to call the gRPC services, such as `pb::exec_service_client` |
//! | `grpc-server` | the traits to serve them, such as `pb::exec_service_server` |
//! | `descriptors` | `pb::FILE_DESCRIPTOR_SET`, for gRPC reflection |

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod display;
mod error_code;
#[doc(hidden)]
pub mod fuzzing;
// Not `expect`: which of these lints fire depends on the features.
#[allow(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    clippy::missing_errors_doc,
    unused_qualifications,
    reason = "the generator of the stubs writes them so"
)]
#[rustfmt::skip]
mod generated {
    pub(crate) mod sandbox_process_v1;
}
mod liberal;
pub mod names;
pub mod pb;
pub mod rest;
pub mod shell;
pub mod unix;
pub mod ws;

pub use error_code::{ErrorCode, GRPC_ERROR_CODE_KEY};

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
