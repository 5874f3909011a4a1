//! Control messages from a daemon to the clients of a terminal, and its close reason.

use serde::{Deserialize, Serialize};

use super::close_code;
use crate::rest::Termination;

/// A text message from the daemon of a terminal. Text that does not parse as one is output.
///
/// The first message to a client is `connected` or, before a close, `error`. `exited` follows all output,
/// before the close, and only for clients that offered
/// [`PTY_EXIT_CONTROL`](super::subprotocol::PTY_EXIT_CONTROL).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PtyControl {
    /// The type, which identifies a control message.
    #[serde(rename = "type")]
    pub kind: PtyControlKind,
    /// The status, which determines the fields below that are set.
    pub status: PtyControlStatus,
    /// The reason why the client cannot be connected, for people; with [`Error`](PtyControlStatus::Error).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The exit code, with [`Exited`](PtyControlStatus::Exited), as in [`PtyCloseReason`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The exit reason, with [`Exited`](PtyControlStatus::Exited), as in [`PtyCloseReason`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_reason: Option<String>,
    /// *Extension*, for clients that offered [`PTY_STREAM`](super::subprotocol::PTY_STREAM): an offset in bytes since the
    /// terminal was created. With [`Connected`](PtyControlStatus::Connected) it is that of the output that follows, with
    /// [`Gap`](PtyControlStatus::Gap) that of the first missing byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// *Extension*: the number of missing bytes, with [`Gap`](PtyControlStatus::Gap).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u64>,
    /// *Extension*: how the shell ended, and what it has used; with [`Exited`](PtyControlStatus::Exited).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination: Option<Termination>,
}

/// The `type` of every [`PtyControl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PtyControlKind {
    /// The only type.
    Control,
}

/// The status that a [`PtyControl`] reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PtyControlStatus {
    /// The client is attached; output follows.
    Connected,
    /// The client cannot be attached, for the reason in `error`.
    Error,
    /// The shell ended, with `exitCode`.
    Exited,
    /// *Extension*: output at this position is not retained any more.
    Gap,
    /// A status that this version does not know; never sent.
    #[serde(other)]
    Unknown,
}

impl PtyControl {
    /// Returns the message that a client is attached.
    pub fn connected() -> Self {
        Self::new(PtyControlStatus::Connected)
    }

    /// Returns the message that a client is attached, and that output follows from `offset` on.
    pub fn connected_at(offset: u64) -> Self {
        Self {
            offset: Some(offset),
            ..Self::connected()
        }
    }

    /// Returns the message that `missing` bytes are missing.
    pub fn gap(offset: u64, missing: u64) -> Self {
        Self {
            offset: Some(offset),
            missing: Some(missing),
            ..Self::new(PtyControlStatus::Gap)
        }
    }

    /// Returns the message that a client cannot be attached, with the reason.
    pub fn error(reason: impl Into<String>) -> Self {
        Self {
            error: Some(reason.into()),
            ..Self::new(PtyControlStatus::Error)
        }
    }

    /// Returns the message that the shell ended.
    pub fn exited(exit: PtyCloseReason) -> Self {
        Self {
            exit_code: Some(exit.exit_code),
            exit_reason: exit.exit_reason,
            ..Self::new(PtyControlStatus::Exited)
        }
    }

    /// Returns the message that the shell ended, with how it ended.
    pub fn ended(exit: PtyCloseReason, termination: Termination) -> Self {
        Self {
            termination: Some(termination),
            ..Self::exited(exit)
        }
    }

    fn new(status: PtyControlStatus) -> Self {
        Self {
            kind: PtyControlKind::Control,
            status,
            error: None,
            exit_code: None,
            exit_reason: None,
            offset: None,
            missing: None,
            termination: None,
        }
    }
}

/// How the shell of a terminal ended: the reason in the close frame, as JSON. Sent by the daemon.
///
/// A reason that does not parse as one leaves the exit code unknown, unless the close code is
/// [`NORMAL`](close_code::NORMAL), which means 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PtyCloseReason {
    /// The shell's exit code; 128 + n after signal n; -1 when stock daemons do not know it.
    pub exit_code: i32,
    /// The reason for people; absent after 0. Close frames hold 123 bytes, so it is a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_reason: Option<String>,
}

impl PtyCloseReason {
    /// Returns the reason for `exit_code`, in the words that stock daemons use.
    pub fn new(exit_code: i32) -> Self {
        let exit_reason = match exit_code {
            0 => None,
            130 => Some("Ctrl+C".to_owned()),
            137 => Some("SIGKILL".to_owned()),
            143 => Some("SIGTERM".to_owned()),
            129.. => Some(format!("signal {}", exit_code - 128)),
            _ => Some("non-zero exit".to_owned()),
        };
        Self {
            exit_code,
            exit_reason,
        }
    }

    /// Returns the corresponding close code.
    pub fn close_code(&self) -> u16 {
        match self.exit_code {
            0 => close_code::NORMAL,
            _ => close_code::INTERNAL_ERROR,
        }
    }
}
