//! A page for each topic, with examples that compile.
//!
//! - [`sandboxes`]: created by a control plane, stopped, started and found again.
//! - [`connecting`]: URLs, tokens, deadlines, retries, other daemons.
//! - [`commands`]: run to their end, or followed while they run.
//! - [`programs`]: code in a language, and its charts.
//! - [`sessions`]: persistent shells, live logs, input.
//! - [`terminals`]: created, typed into, left and attached to again.
//! - [`interpreters`]: code that shares variables.
//! - [`files`]: read, written, searched and transferred.
//! - [`isolation`]: what a run sees, may change and reach, its limits, and what it has used.
//! - [`errors`]: outcomes and errors, dropping and cancelling.
//! - [`threads`]: the same without `async`.
//!
//! The names of the official SDKs are in [`sdk`](crate::sdk).

pub mod commands;
pub mod connecting;
pub mod errors;
pub mod files;
pub mod interpreters;
pub mod isolation;
pub mod programs;
pub mod sandboxes;
pub mod sessions;
pub mod terminals;
pub mod threads;
