//! Daytona's control-plane API over any [`Provider`](sandbox_provider::Provider) of sandboxes.
//!
//! `/api/*` is the control plane, `/toolbox/{id}/*` goes to that sandbox's daemon, previews go to servers inside a sandbox, and `/` is
//! a page for browsers.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `client` | no | `Embedded`: a control plane in this process, with a client of it |
//! | `ssh` | no | the SSH gateway, of `Config::ssh` |
//! | `web` | no | the terminal of the page at `/`: xterm.js, which `cargo xtask web` downloads from npm and builds with |
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod activity;
mod api;
mod automatic;
mod body;
mod clock;
mod config;
mod connection;
#[cfg(feature = "client")]
mod embedded;
mod error;
mod events;
mod expiring;
#[cfg(test)]
mod fake;
#[doc(hidden)]
pub mod fuzzing;
mod keys;
pub mod limits;
mod link;
mod operations;
mod page;
mod preview;
mod proxy;
mod router;
mod server;
mod shared;
mod signing;
#[cfg(feature = "ssh")]
mod ssh;
mod sync;
mod tickets;
mod timers;
mod toolbox;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use config::Config;
#[cfg(feature = "client")]
pub use embedded::{EmbedError, Embedded};
pub use server::{ServeError, Server};
#[cfg(feature = "ssh")]
pub use ssh::SshConfig;
