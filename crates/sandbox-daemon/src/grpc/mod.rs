//! gRPC: the services of `proto/`, `grpc.health.v1` and reflection, on the port of HTTP.
//!
//! A call has the same authorization as a request, and the same effect as the request of the same name. Only the
//! encoding differs: typed, by offset, and with flow control for each stream.

mod code;
mod context;
mod convert;
mod dispatch;
mod exec;
mod files;
mod info;
mod interpreter;
pub(crate) mod outline;
mod output;
pub(crate) mod preface;
mod pty;
mod resources;
mod session;
mod status;
mod stream;
mod wire;

pub(crate) use dispatch::{Grpc, GrpcBody, is_call, is_open, refused};
pub(crate) use preface::opening;
pub(crate) use wire::serve;
