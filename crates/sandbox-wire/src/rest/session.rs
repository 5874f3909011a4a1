//! Sessions: `/process/session` and the routes below it, including the entrypoint's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Isolation, IsolationLevel, OutputTruncation, ResourceLimits, Termination};
use crate::liberal::null_as_default;

/// `POST /process/session`, sent by the client: starts a shell. The response has status 201 and no body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateSessionRequest {
    /// The id of the session; not empty and not [`ENTRYPOINT_SESSION`].
    pub session_id: String,
    /// *Extension*: what the session's shell may use, with everything that it starts; absent means the daemon's own limits, if it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceLimits>,
    /// *Extension*: the isolation of the session's shell, and so of its commands; absent means the daemon's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
}

/// `GET /process/session/{id}` and, in an array, `GET /process/session`; sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The id of the session, as the client chose it.
    pub session_id: String,
    /// The commands of the session. This project's daemon lists them oldest first; other daemons in any order.
    #[serde(deserialize_with = "null_as_default")]
    pub commands: Vec<SessionCommand>,
    /// *Extension*: how the shell ended; absent while the session accepts commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
    /// *Extension*: the number of commands before `commands`, which have ended and were removed; absent if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten_commands: Option<u64>,
    /// *Extension*: how strongly the session's shell is, and so its commands are, isolated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation_level: Option<IsolationLevel>,
}

/// A command of a session, and `GET /process/session/{id}/command/{cid}`; sent by the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionCommand {
    /// The id of the command, which is random, or [`ENTRYPOINT_COMMAND`].
    pub id: String,
    /// The text of the command, as it was sent.
    pub command: String,
    /// The exit code; absent while the command is queued or runs. When it is present, the log is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// *Extension*: how the command ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
}

/// `POST /process/session/{id}/exec`, sent by the client: runs a command in the session's shell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionExecuteRequest {
    /// The text that the shell evaluates; not blank.
    pub command: String,
    /// Whether to respond immediately, with only the command's id; absent means no, and the response is sent at the
    /// command's end. Only a command that is run this way can receive input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_async: Option<bool>,
    /// Another name of `run_async`, deprecated: it is enough that either of the two is true.
    #[serde(rename = "async", default, skip_serializing_if = "Option::is_none")]
    pub deprecated_async: Option<bool>,
    /// Whether the log omits the input of the command; absent means no, and input is logged
    /// as stdout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppress_input_echo: Option<bool>,
    /// *Extension*: the command's id, unique within its session; absent means a random one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<String>,
    /// *Extension*: runs the command in this directory, and in a subshell: it changes nothing in the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// *Extension*: runs the command with these variables, and in a subshell; `null` is `""`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envs: Option<BTreeMap<String, Option<String>>>,
    /// *Extension*: runs the command as this user, in a shell of its own: it changes nothing in the session. Requires a
    /// daemon that runs as root; absent means the daemon's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// *Extension*: whole seconds after which the command is ended; absent and 0 mean no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// *Extension*: the limit in milliseconds, taken instead of `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_millis: Option<u64>,
}

/// The result of a command of a session; sent by the daemon, with 200 at its end or with 202 immediately.
///
/// The first five fields are always written. In an immediate response, and for SDKs that are too old to know them,
/// the four optional ones of them are `null`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionExecuteResponse {
    /// The command's id.
    pub cmd_id: String,
    /// stdout and stderr in the order read, as lossy UTF-8: with the markers of `sandbox-logcodec` for SDKs
    /// from 0.27.0 on, without them for older ones and for clients that do not send a version.
    #[serde(default)]
    pub output: Option<String>,
    /// stdout alone; only for SDKs from 0.167.0 on.
    #[serde(default)]
    pub stdout: Option<String>,
    /// stderr alone; only for SDKs from 0.167.0 on.
    #[serde(default)]
    pub stderr: Option<String>,
    /// The command's exit code; 128 + n after signal n, 124 when its time limit ran out, -1 when it is unknown.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// *Extension*: how the command ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
    /// *Extension*: present when the output is incomplete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation: Option<OutputTruncation>,
    /// *Extension*: `true` when the session has ended, so that it accepts no more commands. Absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_ended: Option<bool>,
}

/// `GET .../logs` without an upgrade, for SDKs from 0.167.0 on; sent by the daemon. Older ones get text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCommandLogsResponse {
    /// The log so far as lossy UTF-8, with the markers of `sandbox-logcodec`.
    pub output: String,
    /// The log's stdout alone, as lossy UTF-8.
    pub stdout: String,
    /// The log's stderr alone, as lossy UTF-8.
    pub stderr: String,
    /// *Extension*: present when the log is incomplete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation: Option<OutputTruncation>,
}

/// `POST .../input`, sent by the client: data for the command's standard input. The response has status 204.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSendInputRequest {
    /// The text; not empty, unless `eof` is set. The daemon adds a newline if there is none at the end.
    #[serde(default, deserialize_with = "null_as_default")]
    pub data: String,
    /// *Extension*: whether to add no newline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<bool>,
    /// *Extension*: whether to close the input after `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eof: Option<bool>,
}

/// `POST .../signal` (*extension*), sent by the client: signals all processes of a command. The response has status 204.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSignalRequest {
    /// The signal to send.
    pub signal: SignalSpec,
}

/// A signal, by name or number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SignalSpec {
    /// A name, as `kill -l` on Linux prints it; case is ignored, and the prefix `SIG` is optional.
    Name(String),
    /// A number, as on Linux.
    Number(i32),
}

impl SignalSpec {
    /// Returns the number on Linux; `None` for an unknown name. Whether a number is valid is not checked.
    pub fn number(&self) -> Option<i32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(name) => {
                let name = name.to_ascii_uppercase();
                let name = name.strip_prefix("SIG").unwrap_or(&name);
                (1..)
                    .zip(SIGNALS)
                    .find_map(|(number, known)| (known == name).then_some(number))
            }
        }
    }
}

/// The names of the signals from 1 on.
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// The id of the session with the command which the daemon was started with.
pub const ENTRYPOINT_SESSION: &str = "entrypoint";

/// The id of the command which the daemon was started with.
pub const ENTRYPOINT_COMMAND: &str = "entrypoint_command";
