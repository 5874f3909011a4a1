//! Daytona's control-plane API over any [`Provider`](sandbox_provider::Provider) of sandboxes.
//!
//! `/api/*` is the control plane, `/toolbox/{id}/*` goes to that sandbox's daemon, and previews go to servers inside a sandbox.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod activity;
mod api;
mod body;
mod clock;
mod config;
mod connection;
mod error;
mod events;
#[cfg(test)]
mod fake;
pub mod limits;
mod operations;
mod preview;
mod proxy;
mod server;
mod shared;
mod timers;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use config::Config;
pub use server::{ServeError, Server};
