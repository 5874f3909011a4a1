//! Every limit of this crate, in one place; LIMITS.md has a row for each.

use std::time::Duration;

/// Longest wait for a connection: name, TCP, proxy and TLS together.
pub const CONNECT: Duration = Duration::from_secs(10);

/// Longest wait for a response that the daemon can send immediately, and for a stream to begin.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Additional wait for a response after the time limit of its command.
pub const RESPONSE_AFTER_LIMIT: Duration = Duration::from_secs(15);

/// Longest wait for the response about a command without a time limit.
pub const RESPONSE_WITHOUT_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest wait for a control plane's response to what starts, stops or deletes a sandbox.
pub const SANDBOX_RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest wait until a sandbox is in the state that it was asked to be in.
pub const SANDBOX_STATE: Duration = Duration::from_secs(60);

/// Longest pause between two questions about that state; the first is a twentieth of a second, and each further one twice
/// as long. This project's control plane responds when the state is reached, and is not asked.
pub const SANDBOX_PAUSE: Duration = Duration::from_secs(1);

/// Pages of a list of sandboxes.
pub const SANDBOX_PAGES: usize = 1000;

/// Longest time without progress of a file that is sent or received. The transfer as a whole has no limit.
pub const TRANSFER_IDLE: Duration = Duration::from_secs(60);

/// Longest wait for the result of what may walk many files: a listing, a search, a removal or a move.
pub const SEARCH: Duration = Duration::from_secs(10 * 60);

/// Bytes of an upload that a connection is given in one piece; each that it takes counts as progress.
pub const UPLOAD_PIECE_BYTES: usize = 64 * 1024;

/// The shortest time limit of a command or program, to which shorter ones are extended: a limit of 0 would mean no
/// limit.
pub const MIN_TIME_LIMIT: Duration = Duration::from_millis(1);

/// Bytes of a response's body; more is an error. Enough for the longest output that the daemon retains, escaped.
pub const RESPONSE_BYTES: usize = 512 * 1024 * 1024;

/// Characters of a response without an error envelope that become the error's message.
pub const ERROR_TEXT_CHARACTERS: usize = 1000;

/// How long an unused connection is retained for the next request.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(20);

/// The time without incoming data after which a TCP connection is probed.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);

/// The time between two probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// The number of probes without a response that end the connection.
pub const KEEPALIVE_RETRIES: u32 = 4;

/// Longest wait until the peer's kernel acknowledges what was sent for a request.
pub const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Bytes of a proxy's response to the request for a tunnel.
pub const PROXY_RESPONSE_BYTES: usize = 8 * 1024;

/// Bytes of a stream that were read but not taken by its consumer; beyond that, the daemon has to wait.
pub const STREAM_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of one message of a WebSocket or of gRPC; a longer one ends the stream with an error. Enough for the largest
/// chart that a daemon retains, and for a value's contents besides its text, in base64.
pub const SOCKET_MESSAGE_BYTES: usize = 96 * 1024 * 1024;

/// Bytes of input in one message. Stock daemons accept 64 KiB.
pub const INPUT_PIECE_BYTES: usize = 32 * 1024;

/// The longest side of a terminal, in characters; the shortest is 1. The same as a daemon accepts.
pub const PTY_SIDE: u16 = 1000;

/// Messages of input that wait to be sent; beyond that, writers have to wait.
pub const INPUT_QUEUE: usize = 8;

/// The interval between pings of a WebSocket. One on which nothing came for two intervals, after a ping, has ended.
pub const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Longest wait for the peer of a WebSocket to close as well, after this side has closed it.
pub const CLOSE_HANDSHAKE: Duration = Duration::from_secs(2);

/// How long reconnecting to a log that was cut is attempted without success.
pub const RESUME: Duration = Duration::from_secs(30);

/// Longest pause between two such attempts; the first is a tenth of a second, and each further one twice as long.
pub const RESUME_PAUSE: Duration = Duration::from_secs(5);

/// Bytes that a daemon may send on one call of gRPC before they are taken; beyond that, it has to wait.
#[cfg(feature = "grpc")]
pub const CALL_WINDOW_BYTES: u32 = 1024 * 1024;

/// Bytes that are retained of an output that gRPC sends as a stream: the first half and the last half of this; what
/// lies between is counted. Each change of the channel counts 32 bytes. The same as a daemon retains for a response
/// over HTTP.
pub const RESPONSE_OUTPUT_BYTES: usize = 64 * 1024 * 1024;
