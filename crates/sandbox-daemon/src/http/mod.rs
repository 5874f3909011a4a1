//! HTTP and WebSockets: the operations of [`service`](crate::service) in the shapes of Daytona's toolbox API.
//!
//! What the API's clients need that has no place in an operation is here: versions of SDKs, exit codes for what has none, seconds.

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
