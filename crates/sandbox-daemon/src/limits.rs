//! All limits of this crate; LIMITS.md has a row for each.

use std::time::Duration;

/// Bytes of a request's body; more results in 413. Room for a command of 8 MiB with every byte escaped.
pub const REQUEST_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Members and elements of a request's JSON object, together, at any depth; more results in 413. Far more than the
/// arguments and variables of a program.
pub const REQUEST_VALUES: usize = 64 * 1024;

/// Bytes of an `Idempotency-Key`.
pub const REQUEST_KEY_BYTES: usize = 255;

/// Requests with an `Idempotency-Key` that are in progress or whose responses are cached.
pub const RETAINED_RESPONSES: usize = 1024;

/// Bytes of the responses that are cached for requests with an `Idempotency-Key`, together, and of the programs' outputs
/// that are cached for keys over any protocol; a longer one is not cached.
pub const RETAINED_RESPONSE_BYTES: u64 = 64 * 1024 * 1024;

/// Time for which a response is cached for a request with an `Idempotency-Key`.
pub const RETENTION: Duration = Duration::from_secs(60 * 60);

/// Time for which the daemon remembers that its system refuses a level of isolation, or has no way out for a network; a success is
/// remembered until the daemon ends.
pub const REFUSAL: Duration = Duration::from_secs(10);

/// Bytes of a request's head, its first line included.
pub const REQUEST_HEAD_BYTES: usize = 16 * 1024;

/// Header fields of a request of HTTP/1.
pub const REQUEST_FIELDS: usize = 100;

/// Bytes of a request's target: its path and its query.
pub const REQUEST_TARGET_BYTES: usize = 8 * 1024;

/// Longest time for which a connection that is to be closed reads and discards the client's
/// remaining data, so that the client can read the response that precedes the close.
pub const LINGER: Duration = Duration::from_secs(5);

/// Idle time of a TCP connection after which the kernel probes it.
pub const PROBE_IDLE: Duration = Duration::from_secs(15);

/// Time between two probes.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// Probes without a response after which the client's host is considered unreachable.
pub const PROBE_RETRIES: u32 = 4;

/// Longest wait for a request's head on an open connection.
pub const REQUEST_HEAD: Duration = Duration::from_secs(30);

/// Longest wait for the whole of a request's body.
pub const REQUEST_BODY: Duration = Duration::from_secs(300);

/// Longest time without data from a client that uploads a file.
pub const UPLOAD_STALL: Duration = Duration::from_secs(60);

/// Bytes of a form outside of its files: the headers of its parts, the preamble and the epilogue.
pub const FORM_HEAD_BYTES: usize = 1024 * 1024;

/// Bytes of a field of a form that is not a file, such as a path.
pub const FORM_FIELD_BYTES: usize = 4096;

/// Longest wait for room in the input of a command that reads slowly. Less than the deadlines of clients.
pub const INPUT_ROOM: Duration = Duration::from_secs(10);

/// Longest wait for a connection to a port of the sandbox.
pub const PORT_CONNECT: Duration = Duration::from_secs(5);

/// Connections at a time; more wait to be accepted.
pub const CONNECTIONS: usize = 4096;

/// Time that pending requests have at shutdown, before the daemon ends the processes that run.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Longest wait at the exit of the daemon for threads that a file system blocks.
pub const RUNTIME_SHUTDOWN: Duration = Duration::from_secs(2);

/// Time that responses have after that, before their connections are closed.
pub const SHUTDOWN_RESPONSES: Duration = Duration::from_secs(2);

/// Longest time between the acceptance of a connection and its first admitted request.
pub const FIRST_REQUEST: Duration = Duration::from_secs(30);

/// One in this many connections may be unadmitted, which means that no request on it was admitted so far;
/// when another one exceeds the share, the oldest is closed.
pub const UNADMITTED_SHARE: usize = 4;

/// Descriptors that the process must be allowed for each connection; with fewer it takes fewer
/// connections than [`CONNECTIONS`].
pub const DESCRIPTORS_PER_CONNECTION: usize = 2;

/// Interval at which a failure to accept connections is logged while it lasts.
pub const ACCEPT_REPORT: Duration = Duration::from_secs(10);

/// Pause after the system refused a connection because it is out of descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Time after which a connection is closed that accepts not a single byte of pending output.
pub const WRITE_STALL: Duration = Duration::from_secs(60);

/// Unsent output that the kernel buffers for a TCP connection. Little, so that a slow reader's progress is visible and
/// a pong is not delayed by much output.
pub const UNSENT_BYTES: u32 = 128 * 1024;

/// Bytes of one message from a WebSocket client, in all its fragments; more is closed with 1009.
pub const SOCKET_MESSAGE_BYTES: usize = 64 * 1024;

/// Bytes of one message from a terminal's client, in all its fragments; more is closed with 1009. Room for a paste.
pub const PTY_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of one message to a terminal's client.
pub const PTY_PIECE_BYTES: usize = 32 * 1024;

/// Bytes that a WebSocket gathers before it writes; fewer are written if no more are available.
pub const SOCKET_WRITE_BYTES: usize = 32 * 1024;

/// Time after which a WebSocket on which nothing was sent is pinged.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);

/// Longest time without data from a client that was sent the end of its stream and has not closed yet.
pub const CLOSE_SILENCE: Duration = Duration::from_secs(60);

/// Longest wait for a client's close frame after a close before the end: at shutdown or after a refused message.
pub const CLOSE_HANDSHAKE: Duration = Duration::from_secs(5);

/// Bytes of a log or an output that one response contains: the first half and the last half of this; the bytes between are
/// counted.
pub const LOG_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes that an output takes in a response, with markers and as JSON; an output that takes more is shortened. A response
/// has three at most, so that it is never longer than clients accept.
pub const LOG_JSON_BYTES: u64 = 128 * 1024 * 1024;

/// Longest duration of a TLS handshake.
#[cfg(feature = "tls")]
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(10);

/// Bytes of a message or a piece of a streamed log without markers.
pub const LOG_PIECE_BYTES: usize = 32 * 1024;

/// Longest wait for the first message of a client that starts a command over a WebSocket.
pub const EXEC_START: Duration = Duration::from_secs(30);

/// Bytes of the message with the code for an interpreter; more is closed with 1009.
pub const INTERPRETER_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Default time limit of code.
pub const INTERPRETER_TIME: Duration = Duration::from_secs(600);

/// Bytes of input for a command on pipes that a client which respects the window may have in flight, until the command
/// reads them. On a terminal the window is as large as the buffer for typed input.
pub const INPUT_WINDOW_BYTES: u64 = 4 * 1024 * 1024;

/// Requests at a time on one connection of HTTP/2; more wait.
#[cfg(feature = "grpc")]
pub const H2_STREAMS: u32 = 256;

/// Bytes of the head of a request of HTTP/2 that are read. Beyond [`REQUEST_HEAD_BYTES`] it is refused
/// with a reason, beyond this limit by the protocol layer with only the status.
#[cfg(feature = "grpc")]
pub const H2_HEADER_BYTES: u32 = 64 * 1024;

/// Bytes that a client of HTTP/2 may send on one stream before they are read.
#[cfg(feature = "grpc")]
pub const H2_STREAM_WINDOW: u32 = 1024 * 1024;

/// Bytes that a client of HTTP/2 may send on all its streams before they are read.
#[cfg(feature = "grpc")]
pub const H2_CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// Bytes of one stream of HTTP/2 that are buffered for sending.
#[cfg(feature = "grpc")]
pub const H2_UNSENT_BYTES: usize = 128 * 1024;

/// Bytes of one message of the gRPC service of files, which holds one at a time of each call; more is refused.
#[cfg(feature = "grpc")]
pub const FILES_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Interrupted and completed uploads that are retained, so that a call can continue or repeat them. Of one more, the oldest is
/// discarded, completed ones first.
#[cfg(feature = "grpc")]
pub const UPLOADS: usize = 64;

/// Time for which an upload is retained after the end of its last call.
#[cfg(feature = "grpc")]
pub const UPLOAD_AGE: Duration = Duration::from_secs(600);

/// Bytes of output in one message of gRPC.
#[cfg(feature = "grpc")]
pub const GRPC_CHUNK_BYTES: usize = 64 * 1024;

/// Sessionless commands with a soft time limit that run at a time; another one is refused.
pub const BACKGROUND_EXECS: usize = 256;

/// Sessionless commands that have ended and can still be found by their id or their key; the oldest are removed first.
pub const RETAINED_EXECS: usize = 1024;

/// Bytes that the records of these commands may hold together; the oldest are removed first.
pub const RETAINED_EXEC_BYTES: u64 = 1024 * 1024 * 1024;

/// Keys of commands that are remembered; the oldest are removed first.
pub const RETAINED_KEYS: usize = 4096;
