//! *Extension*: a command with streams in both directions, over `GET /process/execute/connect`.

use serde::{Deserialize, Serialize};

use crate::rest::{ExecuteRequest, IsolationLevel, PtyResizeRequest, SignalSpec, Termination};

/// A text message from the client. Its binary messages are input for the command.
///
/// `Start` is the first message, sent exactly once; input and the others follow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
#[expect(
    clippy::large_enum_variant,
    reason = "the largest is the first message of a connection, and there are never many"
)]
pub enum ExecClientMessage {
    /// Starts a command.
    Start {
        /// The command, as in `POST /process/execute`. stdout and stderr are sent separately unless `splitOutput` is
        /// false.
        request: ExecuteRequest,
        /// Whether the command gets input; absent means no, and its input ends immediately.
        #[serde(default)]
        input: bool,
        /// Whether the command is ended, with all its processes, if this connection ends before it; absent means no.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        kill_on_drop: bool,
        /// The size of the terminal to run it on; absent means on pipes. TERM is `xterm-256color` unless it is among the
        /// variables. All output is stdout then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tty: Option<PtyResizeRequest>,
        /// Whether this client sends no more input than the daemon allows by [`ExecServerMessage::Started`] and
        /// [`ExecServerMessage::InputTaken`]; absent means no. The messages of such a client are always read, so that a signal
        /// is not delayed by input that no program reads.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        input_window: bool,
    },
    /// Ends the input: the command reads the pending input, and then the end. On a terminal it is the character that
    /// ends the input there (Ctrl-D).
    Eof,
    /// Sets the size of the command's terminal.
    Resize {
        /// The new size.
        #[serde(flatten)]
        size: PtyResizeRequest,
    },
    /// Sends a signal to all processes of the command.
    Signal {
        /// The signal to send.
        signal: SignalSpec,
    },
}

/// A text message from the daemon. Its binary messages are the output, as frames of `sandbox-logcodec`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum ExecServerMessage {
    /// The command was started. Sent before any output.
    Started {
        /// The process id on the daemon's machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
        /// The number of bytes of input that the client may send before the first `InputTaken`, and beyond the number in
        /// the last one. Present if the client respects it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input_window: Option<u64>,
        /// How strongly the command is isolated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        isolation_level: Option<IsolationLevel>,
    },
    /// There is room for more input. Sent only to a client that respects the window.
    InputTaken {
        /// The number of bytes of the input that are not queued for the command any more.
        bytes: u64,
    },
    /// The command has ended, and all of its output was sent. The last message, before the close with 1000.
    Ended {
        /// The exit code, as in [`ExecuteResponse`](crate::rest::ExecuteResponse).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        /// How the command ended.
        termination: Termination,
    },
    /// A message was not carried out. If that was `Start`, this is the last message, before the close with 1008.
    Error {
        /// The name of an [`ErrorCode`](crate::ErrorCode).
        code: String,
        /// The reason, for people.
        message: String,
    },
}
