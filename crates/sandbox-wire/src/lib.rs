//! What travels between a sandbox daemon and its clients.
//!
//! Data only: public fields, serde derives, and one table of error codes. Nothing here opens a
//! socket, reads a clock or decides anything; the two sides of the wire do that.
//!
//! - [`rest`]: the bodies of the HTTP routes.
//! - [`ws`]: the messages, close reasons and subprotocols of the WebSocket routes.
//! - [`ErrorCode`]: every error that either protocol tells.
//!
//! The shapes of `rest` and `ws` are those of Daytona's toolbox "process" API. Fields that only this
//! project's daemon sends or reads are marked *extension*: each is optional, and absent it changes nothing
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
//! newer peer invented reads as `Unknown`. Absent optional fields are left out of what is written, but where
//! a type says otherwise. A required field that is missing is an error, except in an error envelope, which
//! is read from whatever a server or a proxy sends.

#![forbid(unsafe_code)]

mod error_code;
mod liberal;
pub mod rest;
pub mod ws;

pub use error_code::{ErrorCode, GRPC_ERROR_CODE_KEY};
