//! The contract of the operations.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use sandbox_wire::rest::{
    CodeRunRequest, CodeRunResponse, ExecuteRequest, ExecuteResponse, Version,
};

use crate::Error;

/// An answer to come.
pub type ApiFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The operations of a daemon, whatever carries them.
///
/// Dropping a future before it resolves does not take the request back: the daemon runs what it was told to.
pub trait ProcessApi: fmt::Debug + Send + Sync {
    /// Runs a shell command to its end.
    ///
    /// A time limit that ran out is an error of kind [`Timeout`](crate::ErrorKind::Timeout) with an
    /// [envelope](Error::envelope), which has the output where the daemon sends it.
    fn execute(&self, request: ExecuteRequest) -> ApiFuture<'_, ExecuteResponse>;

    /// Runs a program to its end. Time limits are as for [`execute`](Self::execute).
    fn code_run(&self, request: CodeRunRequest) -> ApiFuture<'_, CodeRunResponse>;

    /// Tells the daemon's version.
    fn version(&self) -> ApiFuture<'_, Version>;
}
