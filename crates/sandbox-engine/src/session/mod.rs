//! Shell sessions: a persistent shell that evaluates one command after another.
//!
//! `sessions.rs` has the sessions of an engine, `handle.rs` the handle of one, `shared.rs` what the handles share with
//! the task that owns the shell. `actor.rs` is that task, `start.rs` its start, `holdings.rs` what its end releases,
//! `running.rs` the command that it evaluates, `undelivered.rs` the signals for it that found no process, `commands.rs`
//! the commands that were given.
//!
//! `step.rs` and `aside.rs` have the lines that the shell gets for a command, `filed.rs` how bash gets them, `dialect.rs` and `routes.rs` the words in
//! them, `descriptors.rs` which descriptors they open, `report.rs` the shell's reports, `channels.rs` the pipes in
//! between, `idle.rs` how a missing report is detected, `verdict.rs` what both mean for the command.

mod actor;
mod aside;
mod channels;
mod commands;
mod descriptors;
mod dialect;
mod end;
mod error;
mod filed;
mod handle;
mod holdings;
mod idle;
mod options;
pub(crate) mod report;
mod routes;
mod running;
mod sessions;
mod shared;
mod start;
mod step;
mod undelivered;
pub(crate) mod user;
mod verdict;

pub use commands::NoCommand;
pub(crate) use dialect::quote;
pub use end::SessionEnd;
pub use error::{CreateSessionError, SessionExecError};
pub use handle::Session;
pub use options::{CommandOptions, SessionOptions};
pub use sessions::Sessions;
pub use user::UserError;
