//! A control plane in this process, and a client of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use sandbox_process::Sandboxes;
use sandbox_provider::Provider;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{Config, ServeError, Server};

/// A control plane in this process, on a port of the loopback interface and with a key of its own.
///
/// It is for programs that create sandboxes without `sandbox up`. Its client is the one that any other control plane has. When this
/// is dropped, the control plane ends; sandboxes run on, as far as the provider lets them.
///
/// # Examples
///
/// ```no_run
/// use std::sync::Arc;
/// use sandbox_control::Embedded;
/// use sandbox_provider::Local;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let provider = Local::builder("/var/lib/my-program/sandboxes").open().await?;
/// let control = Embedded::start(Arc::new(provider)).await?;
/// let sandbox = control.sandboxes().create().await?;
/// println!("{}", sandbox.process().exec("id").await?.stdout_lossy());
/// sandbox.delete().await?;
/// control.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Embedded {
    sandboxes: Sandboxes,
    /// Ends the server when it is dropped.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// An error that prevented an embedded control plane from starting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The server cannot listen.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The client cannot be made.
    #[error("cannot make the client of the control plane")]
    Client(#[from] sandbox_process::Error),
}

impl Embedded {
    /// Starts a control plane over a provider, in the current tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns [`EmbedError::Serve`] if the loopback interface cannot be used, and [`EmbedError::Client`] if there can be no client.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: if the future is dropped, nothing runs.
    pub async fn start<P: Provider>(provider: Arc<P>) -> Result<Self, EmbedError> {
        let key = Uuid::new_v4().simple().to_string();
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::bind(Config::new(any_port, &key), provider).await?;
        let url = format!("http://{}/api", server.local_addr());
        let sandboxes = Sandboxes::connect(url, key)?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let sent_or_dropped = async { drop(stopped.await) };
            server.serve(sent_or_dropped).await;
        });
        Ok(Self {
            sandboxes,
            stop,
            task,
        })
    }

    /// Returns the client.
    pub fn sandboxes(&self) -> &Sandboxes {
        &self.sandboxes
    }

    /// Ends the control plane, and waits until it has ended: pending requests have some time.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the control plane ends all the same.
    pub async fn shutdown(self) {
        // The task may have ended already; a panic of it was reported.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}
