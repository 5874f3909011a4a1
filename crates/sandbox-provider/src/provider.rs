//! The trait.

use std::future::Future;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::Error;
use crate::sandbox::{Change, Sandbox, SandboxId, Spec, Stop};

/// A place where sandboxes run: this machine, a cluster, an engine of containers.
///
/// Every change is complete and stored when its future resolves. A future that is dropped leaves the sandbox as it was or as it was
/// to be: changes go on in tasks of the provider.
pub trait Provider: Send + Sync + 'static {
    /// A connection to a sandbox's daemon.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Returns the names of the images that a [`Spec`] may ask for. Default: none.
    fn images(&self) -> impl Future<Output = Result<Vec<String>, Error>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Creates a sandbox and starts it. It is [`Started`](crate::State::Started), and its daemon can be dialed, when this resolves.
    fn create(&self, spec: Spec) -> impl Future<Output = Result<Sandbox, Error>> + Send;

    /// Returns the sandbox with this id.
    fn get(&self, id: &SandboxId) -> impl Future<Output = Result<Sandbox, Error>> + Send;

    /// Returns all sandboxes, the oldest first.
    fn list(&self) -> impl Future<Output = Result<Vec<Sandbox>, Error>> + Send;

    /// Starts a stopped sandbox, or continues a paused one. One that runs already is returned as it is.
    fn start(&self, id: &SandboxId) -> impl Future<Output = Result<Sandbox, Error>> + Send;

    /// Ends all processes of a sandbox, as `how` says; its files remain.
    fn stop(
        &self,
        id: &SandboxId,
        how: Stop,
    ) -> impl Future<Output = Result<Sandbox, Error>> + Send;

    /// Freezes all processes of a sandbox until it is started.
    fn pause(&self, id: &SandboxId) -> impl Future<Output = Result<Sandbox, Error>> + Send;

    /// Creates a sandbox whose files are a copy of those of another.
    fn fork(
        &self,
        id: &SandboxId,
        spec: Spec,
    ) -> impl Future<Output = Result<Sandbox, Error>> + Send;

    /// Removes a sandbox with everything that it has: processes, mounts, files.
    fn delete(&self, id: &SandboxId) -> impl Future<Output = Result<(), Error>> + Send;

    /// Changes the description of a sandbox, and what of it applies at once.
    fn change(
        &self,
        id: &SandboxId,
        change: Change,
    ) -> impl Future<Output = Result<Sandbox, Error>> + Send;

    /// Waits until a sandbox changes its state by itself, such as one whose processes have ended, and returns it. Default: never.
    ///
    /// It is for one caller at a time, which may ask again after each: a change between two calls is not lost, and of several changes of
    /// one sandbox the last is returned.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no change is lost.
    fn changed(&self) -> impl Future<Output = Sandbox> + Send {
        std::future::pending()
    }

    /// Connects to the daemon of a started sandbox.
    ///
    /// The daemon speaks the toolbox API on it: HTTP/1.1 with WebSockets, or HTTP/2 with gRPC.
    fn dial(&self, id: &SandboxId) -> impl Future<Output = Result<Self::Stream, Error>> + Send;
}
