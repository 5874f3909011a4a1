//! The control plane as its clients meet it, over a provider whose sandboxes are reached over TCP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod api;
mod client;
mod daemons;
mod doors;
#[cfg(feature = "client")]
mod embedded;
mod page;
mod previews;
mod toolbox;
