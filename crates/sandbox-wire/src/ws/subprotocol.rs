//! Subprotocols that clients offer. They carry values that a browser cannot put in a header.
//!
//! A daemon selects [`PTY_STREAM`], [`PTY_EXIT_CONTROL`] or the version when one of them is offered, since some clients
//! close without a selection; never the variables, which may be secret; and nothing when nothing was offered.

/// The prefix of the version of the client's SDK, as in `X-Daytona-SDK-Version~0.226.1`.
pub const SDK_VERSION_PREFIX: &str = "X-Daytona-SDK-Version~";

/// The client of a terminal reads the control message [`Exited`](super::PtyControlStatus::Exited).
pub const PTY_EXIT_CONTROL: &str = "X-Daytona-Pty-Exit-Control";

/// *Extension*: the client of a terminal reads all of [`PtyControl`](super::PtyControl): where its output begins, which
/// bytes are missing, and how it ended. The output then contains nothing else.
pub const PTY_STREAM: &str = "sandbox.pty.v1";

/// The prefix of the variables of a terminal to create: a JSON object of strings, in base64url without padding.
pub const PTY_ENVS_PREFIX: &str = "X-Daytona-Pty-Envs~";

/// *Extension*: the log of a command is sent as frames of `sandbox-logcodec`, which are lossless and report offsets and
/// gaps. It ends with the close code 1000.
pub const LOG_FRAMES: &str = "sandbox.log.v1";

/// *Extension*: a command with streams in both directions; see [`ExecClientMessage`](super::ExecClientMessage).
pub const EXEC_STREAM: &str = "sandbox.exec.v1";

/// *Extension*: an execution's charts and the value of its last expression are sent, too.
pub const INTERPRETER_RICH: &str = "sandbox.interpreter.v1";
