//! Bounds of the sandboxes of this machine. LIMITS.md lists them.

use std::time::Duration;

/// Sandboxes of one provider, unless it is configured otherwise.
pub const SANDBOXES: usize = 1000;

/// Bytes of the name of a sandbox.
pub const NAME_BYTES: usize = 128;

/// Bytes of all variables and labels of a sandbox together.
pub const SPEC_BYTES: usize = 256 * 1024;

/// Longest wait for the daemon of a sandbox to respond.
pub const START: Duration = Duration::from_secs(30);

/// Time that the processes of a sandbox have to end before they are killed.
pub const STOP: Duration = Duration::from_secs(5);

/// Longest wait for killed processes to end.
pub const KILL: Duration = Duration::from_secs(10);

/// Sandboxes that are being started at a time.
pub const STARTS: usize = 16;

/// Bytes of the end of a daemon's log that the reason of an error has.
pub const REASON_BYTES: u64 = 2048;

/// Depth of the directories of a home that is copied.
pub const COPY_DEPTH: usize = 128;

/// Processes and threads of one sandbox, with those of its daemon, unless the provider is configured otherwise.
pub const PROCESSES: u32 = 2048;

/// Bytes of the smallest memory that a sandbox can be created with: its daemon is part of it.
pub const LEAST_MEMORY: u64 = 32 * 1024 * 1024;
