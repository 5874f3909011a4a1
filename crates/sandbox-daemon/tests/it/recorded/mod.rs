//! The exchanges recorded from the reference, replayed.
//!
//! Each entry is compared with what was recorded, or with what is said here to be ours where the reference is at fault or
//! ours is known to differ. An entry that is passed over is named, with the reason.
//!
//! With `SANDBOX_TEST_URL` (and `SANDBOX_TEST_TOKEN`) another daemon is held to the same, as `cargo xtask conformance URL` does; its
//! shell is to be bash.

mod code_run;
mod compare;
mod execute;
mod http;
mod interpreter;
mod logs;
mod pty;
mod replay;
mod request;
mod session;
mod tally;
mod terminal;
mod versions;
