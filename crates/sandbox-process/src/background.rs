//! Commands that run on after their soft limit.

use std::sync::Arc;

use bytes::Bytes;
use sandbox_logcodec::Channel;
use sandbox_transport::{
    CommandInfo, Error, LogOptions, LogSource, LogStream, Signal, Termination,
};

use crate::client::Client;
use crate::outcome::{Logs, Outcome};
use crate::session_command::{collect, pass};

/// A command that runs on after its [soft limit](crate::Exec::soft_timeout): a handle by its id. *Extension* of this project's
/// daemon.
///
/// The handle is cheap to clone. Dropping it changes nothing: the command runs on, until its time limit or the daemon's end. The
/// daemon retains the last 1,024 commands that have ended, and 1 GiB of their output; what it no longer has is an error of kind
/// [`NotFound`](crate::ErrorKind::NotFound), as is an id that never was.
///
/// # Examples
///
/// ```no_run
/// # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
/// use std::time::Duration;
///
/// let build = process.exec("make").soft_timeout(Duration::from_secs(10)).await?;
/// print!("{}", build.stdout_lossy());
/// if let Some(id) = build.still_running() {
///     let build = process.background(id);
///     println!("so far {} bytes", build.logs().await?.output.len());
///     build.kill().await?;
///     println!("{}", build.wait().await?.termination);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct BackgroundCommand {
    client: Client,
    id: Arc<str>,
}

impl BackgroundCommand {
    pub(crate) fn new(client: Client, id: &str) -> Self {
        Self {
            client,
            id: id.into(),
        }
    }

    /// Returns the id of the command.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the command's text, and how it ended, if it did. Its log is complete when its exit code is present.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the command does not exist.
    pub async fn info(&self) -> Result<CommandInfo, Error> {
        self.client.ready().await?.exec_info(&self.id).await
    }

    /// Returns what the command has written so far.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`info`](Self::info).
    pub async fn logs(&self) -> Result<Logs, Error> {
        let api = self.client.ready().await?;
        api.logs(self.source()).await.map(Logs::from)
    }

    /// Reads the command's output as it is written, by default from its beginning to the command's end. What
    /// [`SessionCommand::follow`](crate::SessionCommand::follow) says about cuts and gaps holds here.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`info`](Self::info).
    pub async fn follow(&self, options: LogOptions) -> Result<LogStream, Error> {
        let api = self.client.ready().await?;
        api.follow_log(self.source(), options).await
    }

    /// Waits for the command's end, and returns its outcome with all that it wrote, from its beginning: of an output beyond
    /// 64 MiB, the first and the last 32 MiB.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the command runs on, and another call returns the same.
    ///
    /// # Errors
    ///
    /// Those of [`info`](Self::info), and an error of kind [`Closed`](crate::ErrorKind::Closed) or
    /// [`Protocol`](crate::ErrorKind::Protocol) if the output was cut and cannot be continued.
    pub async fn wait(&self) -> Result<Outcome, Error> {
        let output = collect(self.follow(LogOptions::new()).await?).await?;
        let info = self.info().await?;
        Ok(Outcome::new(output, info.termination).with_usage(info.usage))
    }

    /// Passes what the command writes to `on_output` as it is written, from its beginning to the command's end, and returns how it
    /// ended. The next piece is read when the future that `on_output` returns has completed. Gaps are left out.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, `on_output` is not called again; the command runs on.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait).
    pub async fn wait_with(
        &self,
        on_output: impl AsyncFnMut(Channel, Bytes),
    ) -> Result<Termination, Error> {
        pass(self.follow(LogOptions::new()).await?, on_output).await?;
        Ok(self.info().await?.termination)
    }

    /// Sends a signal to all processes of the command.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the signal may or may not be sent.
    ///
    /// # Errors
    ///
    /// Those of [`info`](Self::info), an error of kind [`Conflict`](crate::ErrorKind::Conflict) if the command has ended, and of
    /// kind [`InvalidInput`](crate::ErrorKind::InvalidInput) if the signal does not exist.
    pub async fn signal(&self, signal: Signal) -> Result<(), Error> {
        let api = self.client.ready().await?;
        api.exec_signal(&self.id, signal).await
    }

    /// Kills the command with all its processes.
    ///
    /// # Cancel safety
    ///
    /// As for [`signal`](Self::signal).
    ///
    /// # Errors
    ///
    /// Those of [`signal`](Self::signal).
    pub async fn kill(&self) -> Result<(), Error> {
        self.signal(Signal::KILL).await
    }

    fn source(&self) -> LogSource {
        LogSource::Exec {
            exec_id: self.id.to_string(),
        }
    }
}
