//! Daytona's control-plane API over any [`Provider`](sandbox_provider::Provider) of sandboxes.
//!
//! `/api/*` is the control plane, `/toolbox/{id}/*` goes to that sandbox's daemon, and previews go to servers inside a sandbox.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod server;

pub use server::{Config, ServeError, Server};
