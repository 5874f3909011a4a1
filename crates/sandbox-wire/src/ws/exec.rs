//! *Extension*: a command that is followed and fed while it runs, over `GET /process/execute/connect`.

use serde::{Deserialize, Serialize};

use crate::rest::{ExecuteRequest, PtyResizeRequest, SignalSpec, Termination};

/// A text message from the client. Its binary messages are input for the command.
///
/// `Start` is the first message, once; input and the others come behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum ExecClientMessage {
    /// What to run.
    Start {
        /// As `POST /process/execute` takes it. stdout and stderr are kept apart unless `splitOutput` is false, as they
        /// are told apart on the way.
        request: ExecuteRequest,
        /// Whether the command gets input; absent means no, and it finds the end at once.
        #[serde(default)]
        input: bool,
        /// Whether the command is ended, with all its processes, when this connection ends before it; absent means no.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        kill_on_drop: bool,
        /// Runs it on a terminal of this size; absent means on pipes. TERM is `xterm-256color` unless it is among the
        /// variables. All output is stdout then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tty: Option<PtyResizeRequest>,
        /// Whether this client sends no more input than the daemon allows by [`ExecServerMessage::Started`] and
        /// [`ExecServerMessage::InputTaken`]; absent means no. The messages of one that does are always read, so that a signal
        /// is not delayed by input that no program reads.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        input_window: bool,
    },
    /// There is no more input: the command reads what it was given, and then the end. On a terminal that is the character which
    /// ends the input there (Ctrl-D).
    Eof,
    /// Sets the size of its terminal.
    Resize {
        /// The new size.
        #[serde(flatten)]
        size: PtyResizeRequest,
    },
    /// Signals all processes of the command.
    Signal {
        /// Which signal.
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
    /// The command runs. Before any output.
    Started {
        /// Its process id on the daemon's machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
        /// How many bytes of input the client may send before the first `InputTaken`, and beyond what the last one says. Present if
        /// the client heeds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input_window: Option<u64>,
    },
    /// There is room for more input. Only to a client that heeds it.
    InputTaken {
        /// How many bytes of the input do not wait for the command any more.
        bytes: u64,
    },
    /// It has ended, and all that it wrote was sent. The last message, before the close with 1000.
    Ended {
        /// Its exit code, as in [`ExecuteResponse`](crate::rest::ExecuteResponse).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        /// How it ended.
        termination: Termination,
    },
    /// A message was not carried out. If that was `Start`, the last message, before the close with 1008.
    Error {
        /// The name of an [`ErrorCode`](crate::ErrorCode).
        code: String,
        /// Why, for people.
        message: String,
    },
}
