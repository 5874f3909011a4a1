//! Every bound of this crate, in one place; LIMITS.md has a row for each.

use std::time::Duration;

/// Longest wait for a connection: name, TCP, proxy and TLS together.
pub const CONNECT: Duration = Duration::from_secs(10);

/// Longest wait for an answer that takes no time of its own to make, and for a stream to begin.
pub const ANSWER: Duration = Duration::from_secs(30);

/// What an answer gets beyond the time limit of the command it tells about.
pub const ANSWER_AFTER_LIMIT: Duration = Duration::from_secs(15);

/// Longest wait for the answer about a command without a time limit.
pub const ANSWER_WITHOUT_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest time limit of a command or program, to which shorter ones are extended: a limit of nothing would be none.
pub const MIN_TIME_LIMIT: Duration = Duration::from_millis(1);

/// Bytes of an answer's body; more is an error. Room for the longest output that the daemon keeps, escaped.
pub const ANSWER_BYTES: usize = 512 * 1024 * 1024;

/// Characters of an answer that is no error envelope which become the error's message.
pub const ERROR_TEXT_CHARACTERS: usize = 1000;

/// How long a connection that nobody uses is kept for the next request.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(20);

/// A TCP connection on which nothing came for so long is probed.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);

/// The time between two probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// So many probes without an answer end the connection.
pub const KEEPALIVE_RETRIES: u32 = 4;

/// Longest wait until the other side's kernel has what was sent for a request.
pub const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Bytes of a proxy's answer to the request for a tunnel.
pub const PROXY_ANSWER_BYTES: usize = 8 * 1024;

/// Bytes of a stream that were read and not taken by its consumer; then the daemon has to wait.
pub const STREAM_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of one message of a WebSocket or of gRPC; a longer one ends the stream with an error. Room for the largest chart that a daemon
/// keeps, and for what a value has besides its text, in base64.
pub const SOCKET_MESSAGE_BYTES: usize = 96 * 1024 * 1024;

/// Bytes of input that travel in one message. Stock daemons take 64 KiB.
pub const INPUT_PIECE_BYTES: usize = 32 * 1024;

/// The longest side of a terminal, in characters; the shortest is 1. The same as a daemon takes.
pub const PTY_SIDE: u16 = 1000;

/// Messages of input that wait to be sent; then who writes has to wait.
pub const INPUT_QUEUE: usize = 8;

/// How often a WebSocket is pinged. One on which nothing came during two such times, after a ping, has ended.
pub const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Longest wait for the other side of a WebSocket to close, too, once nobody needs it any more.
pub const CLOSE_HANDSHAKE: Duration = Duration::from_secs(2);

/// How long a log that was cut is tried to be connected to again without any success.
pub const RESUME: Duration = Duration::from_secs(30);

/// Longest pause between two such tries; the first is a tenth of a second, and each further one twice as long.
pub const RESUME_PAUSE: Duration = Duration::from_secs(5);

/// Bytes that a daemon may send on one call of gRPC before they are taken; then it has to wait.
#[cfg(feature = "grpc")]
pub const CALL_WINDOW_BYTES: u32 = 1024 * 1024;

/// What an answer that gRPC brings as a stream keeps of an output: the first half and the last half of this; what lies between
/// is counted. Each change of the channel counts 32 bytes. The same as a daemon keeps for an answer of HTTP.
pub const ANSWER_OUTPUT_BYTES: usize = 64 * 1024 * 1024;
