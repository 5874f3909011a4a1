//! Every bound of the control plane. LIMITS.md lists them with the tests that reach them.

use std::time::Duration;

/// Bytes of the body of a request to the API; a longer one is refused.
pub const BODY_BYTES: usize = 1024 * 1024;

/// Longest wait for the whole body of a request to the API.
pub const BODY: Duration = Duration::from_secs(30);

/// Bytes of the body of a refused request that are read and discarded, so that its client can read the response.
pub const REFUSED_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Longest time for which that body is read.
pub const REFUSED_BODY: Duration = Duration::from_secs(10);

/// Connections at a time; more wait to be accepted.
pub const CONNECTIONS: usize = 4096;

/// Bytes of the head of a request of HTTP/1, its first line included.
pub const HEAD_BYTES: usize = 64 * 1024;

/// Requests at a time on one connection of HTTP/2; more wait.
pub const STREAMS: u32 = 256;

/// Bytes that a client of HTTP/2 may send on one stream before they are passed on.
pub const STREAM_WINDOW: u32 = 1024 * 1024;

/// Longest wait for a connection to the daemon of a sandbox, handshake included.
pub const DIAL: Duration = Duration::from_secs(10);

/// Keys of requests to create a sandbox that are remembered; the oldest are forgotten first.
pub const CREATE_KEYS: usize = 1024;

/// Time for which such a key is remembered.
pub const CREATE_KEY_AGE: Duration = Duration::from_secs(60 * 60);

/// Sandboxes on one page of a list.
pub const PAGE: usize = 200;

/// Sandboxes on one page of a list whose request has no limit.
pub const DEFAULT_PAGE: usize = 100;

/// Signed preview URLs that are valid at a time; more are refused.
pub const SIGNED_PREVIEWS: usize = 10_000;

/// Longest validity of a signed preview URL.
pub const SIGNED_PREVIEW_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Validity of a signed preview URL whose request has none.
pub const SIGNED_PREVIEW_DEFAULT_AGE: Duration = Duration::from_secs(60);

/// Events that a client may be late by; one that is later is disconnected, and reads the state anew.
pub const EVENTS: usize = 1024;

/// Clients of events at a time; more are refused.
pub const EVENT_CLIENTS: usize = 1024;

/// Bytes of one message from a client of events.
pub const EVENT_MESSAGE_BYTES: usize = 16 * 1024;

/// Longest wait for the key of a client of events.
pub const EVENT_CONNECT: Duration = Duration::from_secs(10);

/// Interval at which a client of events is pinged; one that has not responded until the next is disconnected.
pub const EVENT_PING: Duration = Duration::from_secs(25);

/// Longest wait for a client of events that does not read.
pub const EVENT_PONG: Duration = Duration::from_secs(20);

/// Tickets for WebSockets that are valid at a time; more are refused.
pub const TICKETS: usize = 1024;

/// Validity of a ticket for a WebSocket.
pub const TICKET_AGE: Duration = Duration::from_secs(30);

/// SSH accesses that are valid at a time; more are refused.
pub const SSH_ACCESSES: usize = 10_000;

/// Longest validity of an SSH access.
pub const SSH_ACCESS_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Validity of an SSH access whose request has none; as at Daytona.
pub const SSH_ACCESS_DEFAULT_AGE: Duration = Duration::from_secs(60 * 60);

/// SSH connections at a time; more wait to be accepted.
pub const SSH_CONNECTIONS: usize = 256;

/// Longest wait for the token of an SSH client, handshake included.
pub const SSH_HANDSHAKE: Duration = Duration::from_secs(30);

/// Attempts at a token on one SSH connection.
pub const SSH_ATTEMPTS: usize = 3;

/// Time until an SSH client is refused.
pub const SSH_REJECTION: Duration = Duration::from_secs(1);

/// Channels at a time on one SSH connection: shells, commands and forwarded connections; more are refused.
pub const SSH_CHANNELS: usize = 64;

/// Time after which an SSH connection with no channel is closed.
pub const SSH_IDLE: Duration = Duration::from_secs(10 * 60);

/// Interval at which a silent SSH client is probed.
pub const SSH_KEEPALIVE: Duration = Duration::from_secs(30);

/// Probes without a response until an SSH client counts as lost.
pub const SSH_KEEPALIVES: usize = 3;

/// Bytes that an SSH client may send on one channel before they are received.
pub const SSH_WINDOW: u32 = 1024 * 1024;

/// Messages of an SSH client that wait for one channel; until there is room, nothing else of the connection is read.
pub const SSH_MESSAGES: usize = 64;

/// Longest wait for a command of an SSH client to read the input that is waiting for it; the channel is closed after that.
pub const SSH_INPUT_STALL: Duration = Duration::from_secs(10 * 60);

/// Longest wait for a server behind a forwarded port to read what is waiting for it; the channel is closed after that.
pub const SSH_FORWARD_STALL: Duration = Duration::from_secs(30);

/// Variables of an SSH client's program; more are left out.
pub const SSH_VARIABLES: usize = 64;

/// Bytes of the name and value of one of them; a longer one is left out.
pub const SSH_VARIABLE_BYTES: usize = 32 * 1024;

/// Pause until an automatic stop or deletion that failed is tried again.
pub const RETRY: Duration = Duration::from_secs(60);

/// Idle time until a sandbox is stopped whose request has no interval; as at Daytona.
pub const AUTO_STOP: Duration = Duration::from_secs(15 * 60);

/// Longest interval of a sandbox, in minutes: a hundred years.
pub const INTERVAL_MINUTES: u64 = 100 * 365 * 24 * 60;

/// Time that pending requests have at shutdown.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Sandboxes that are stopped or deleted automatically at a time; more wait.
pub const AUTOMATIC: usize = 16;
