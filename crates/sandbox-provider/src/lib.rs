//! Sandboxes that can be created, stopped and dialed, wherever they run.
//!
//! A sandbox is something that a daemon runs in, and a way to [dial](Provider::dial) it. A [`Provider`] has many of them. What is
//! above it assumes nothing about the machine that they run on: no process ids, no paths, no shared memory.
//!
//! | for | there is |
//! |---|---|
//! | sandboxes of a kind of machine | the trait [`Provider`] |
//! | sandboxes of this machine | `Local`, with the feature `local` |
//! | what a new sandbox is to be | [`Spec`] |
//! | a connection to the daemon in a sandbox | [`Provider::dial`] |
//!
//! # Features
//!
//! - `local` (default): `Local`, the sandboxes of this machine, which brings the daemon and its engine.
//! - `typescript` (default): its daemons run TypeScript.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(doctest, feature = "local"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod error;
pub mod limits;
#[cfg(feature = "local")]
mod local;
mod provider;
mod sandbox;

pub use error::Error;
#[cfg(feature = "local")]
pub use local::{Local, LocalBuilder, LocalNetwork};
pub use provider::Provider;
pub use sandbox::{Change, Interval, Resources, Sandbox, SandboxId, Spec, State, Stop};
