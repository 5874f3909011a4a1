//! Messages, close reasons and subprotocols of the WebSocket routes.
//!
//! | route | the client sends | the daemon sends |
//! |---|---|---|
//! | `GET .../logs?follow=true` | nothing | binary: the log as it grows, in the stream form of `sandbox-logcodec` |
//! | `GET /process/execute/connect` (extension) | text: [`ExecClientMessage`]; binary: input | text: [`ExecServerMessage`]; binary: frames of `sandbox-logcodec` |
//! | `GET /process/pty/{id}/connect`, `/process/pty/create-connect` | binary or text: what is typed | binary: what the terminal shows; text: [`PtyControl`] |
//! | `GET /process/interpreter/execute` | one [`InterpreterRequest`] | text: [`InterpreterMessage`]s |
//!
//! Each route ends with a close frame; its code is one of [`close_code`], or follows from [`PtyCloseReason`].

pub mod close_code;
mod exec;
mod interpreter;
mod pty;
pub mod subprotocol;

pub use exec::{ExecClientMessage, ExecServerMessage};
pub use interpreter::{
    CONTROL_COMPLETED, CONTROL_ENDED, CONTROL_INTERRUPTED, InterpreterMessage,
    InterpreterMessageKind, InterpreterRequest,
};
pub use pty::{PtyCloseReason, PtyControl, PtyControlKind, PtyControlStatus};
