//! HTTP and WebSockets: the operations of [`service`](crate::service) in the shapes of Daytona's toolbox API.
//!
//! Also here is what only clients of this API need: versions of SDKs, exit codes for ends without one, whole seconds.

pub(crate) mod body;
mod call;
mod convert;
mod error;
pub(crate) mod files;
mod info;
mod interpreter;
mod logs;
pub(crate) mod peer;
mod ports;
mod process;
pub(crate) mod pty;
mod replay;
mod resources;
mod response;
mod routes;
mod session;
mod stream;
mod termination;
mod texts;
pub(crate) mod unserved;
pub(crate) mod ws;

pub(crate) use call::{Call, Responded};
pub(crate) use error::ApiError;
pub(crate) use replay::Replays;
pub(crate) use response::Body;
pub(crate) use routes::{Door, Route, routes};
