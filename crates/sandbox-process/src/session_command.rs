//! Commands of sessions.

use std::sync::Arc;

use bytes::Bytes;
use sandbox_logcodec::Channel;
use sandbox_transport::{
    Collected, CommandInfo, CommandInput, CommandOutput, Error, LogEvent, LogOptions, LogSource,
    LogStream, Signal, Termination,
};

use crate::client::Client;
use crate::io::InputWriter;
use crate::outcome::{Logs, Outcome};

/// A command of a session: a handle by the ids of both.
///
/// The handle is cheap to clone. Dropping it changes nothing: the command runs on.
#[derive(Debug, Clone)]
pub struct SessionCommand {
    client: Client,
    session: Arc<str>,
    id: Arc<str>,
}

impl SessionCommand {
    pub(crate) fn new(client: Client, session: Arc<str>, id: String) -> Self {
        Self {
            client,
            session,
            id: id.into(),
        }
    }

    /// Returns the id of the command.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the id of its session.
    pub fn session_id(&self) -> &str {
        &self.session
    }

    /// Returns the command's text, and how it ended, if it did. Its log is complete when its exit code is present.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the session or the command does not exist.
    #[doc(alias = "get_session_command")]
    pub async fn info(&self) -> Result<CommandInfo, Error> {
        let api = self.client.ready().await?;
        api.session_command(&self.session, &self.id).await
    }

    /// Returns what the command has written so far.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the session or the command does not exist.
    #[doc(alias = "get_session_command_logs")]
    pub async fn logs(&self) -> Result<Logs, Error> {
        self.client
            .ready()
            .await?
            .logs(self.source())
            .await
            .map(Logs::from)
    }

    /// Reads the command's log as it is written, by default from its beginning to the command's end.
    ///
    /// A stream that is cut reconnects and continues where it was, so that every byte comes exactly once. Bytes that the daemon
    /// no longer has of a very long log are [`LogEvent::Gap`]s. A daemon that cannot be reached again is an error after 30 s.
    /// [`OutputReader`](crate::OutputReader) makes an [`AsyncRead`](tokio::io::AsyncRead) of it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the session or the command does not exist.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use sandbox_process::{LogEvent, LogOptions};
    ///
    /// # async fn example(session: sandbox_process::Session) -> Result<(), sandbox_process::Error> {
    /// let command = session.spawn("make -j8").await?;
    /// let mut log = command.follow(LogOptions::new()).await?;
    /// while let Some(event) = log.next().await {
    ///     if let LogEvent::Output { channel, bytes, .. } = event? {
    ///         println!("{channel}: {}", String::from_utf8_lossy(&bytes));
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "get_session_command_logs_async")]
    pub async fn follow(&self, options: LogOptions) -> Result<LogStream, Error> {
        let api = self.client.ready().await?;
        api.follow_log(self.source(), options).await
    }

    /// Waits for the command's end, and returns its outcome with all that it wrote: of an output beyond 64 MiB, the first and
    /// the last 32 MiB.
    ///
    /// A command that reads its input waits for it: [`close_stdin`](Self::close_stdin) ends it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the command runs on, and another call returns the same.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the session or the command does not exist or is deleted
    /// meanwhile, and of kind [`Closed`](crate::ErrorKind::Closed) or [`Protocol`](crate::ErrorKind::Protocol) if the log was
    /// cut and cannot be continued.
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

    /// Sends the command a line of input; a newline is added if there is none at its end.
    ///
    /// The input is part of the command's log, as stdout, unless that is
    /// [suppressed](crate::SessionSpawn::suppress_input_echo).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the line may or may not be sent.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the session or the command does not exist, and of kind
    /// [`Conflict`](crate::ErrorKind::Conflict) if the command takes no input: it has ended, or was not
    /// [spawned](crate::Session::spawn).
    #[doc(alias = "send_session_command_input")]
    pub async fn write_line(&self, line: impl Into<String>) -> Result<(), Error> {
        self.send(CommandInput::line(line)).await
    }

    /// Sends the command bytes of input, as they are. *Extension* of this project's daemon.
    ///
    /// Waits while the command has as much unread input as the daemon holds for it, which is 64 MiB.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the bytes may or may not be sent; none of them or all.
    ///
    /// # Errors
    ///
    /// Those of [`write_line`](Self::write_line), and an error of kind [`Unsupported`](crate::ErrorKind::Unsupported) with other
    /// daemons.
    pub async fn write(&self, bytes: impl Into<Bytes>) -> Result<(), Error> {
        let bytes = bytes.into();
        loop {
            match self.send(CommandInput::raw(bytes.clone())).await {
                // The daemon has waited for room, and none of it was accepted.
                Err(error) if error.code() == Some(TOO_MANY_REQUESTS) => {}
                sent => return sent,
            }
        }
    }

    /// Ends the command's input. *Extension* of this project's daemon.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the input may or may not be ended.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    pub async fn close_stdin(&self) -> Result<(), Error> {
        self.send(CommandInput::eof()).await
    }

    /// Returns a writer of the command's input. *Extension* of this project's daemon.
    ///
    /// Shutting it down or dropping it ends the input. Its errors are those of [`write`](Self::write).
    pub fn stdin(&self) -> InputWriter {
        let (command, end) = (self.clone(), self.clone());
        InputWriter::new(move |bytes| {
            let command = command.clone();
            Box::pin(async move { command.write(bytes).await })
        })
        .ending_with(Box::pin(async move { end.close_stdin().await }))
    }

    /// Sends a signal to all processes of the command, and not to the session's shell. *Extension* of this project's daemon.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the signal may or may not be sent.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](crate::ErrorKind::NotFound) if the session or the command does not exist, of kind
    /// [`Conflict`](crate::ErrorKind::Conflict) if the command does not run, of kind
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if the signal does not exist, and of kind
    /// [`Unsupported`](crate::ErrorKind::Unsupported) with other daemons.
    pub async fn signal(&self, signal: Signal) -> Result<(), Error> {
        let api = self.client.ready().await?;
        api.session_signal(&self.session, &self.id, signal).await
    }

    /// Kills the command with all its processes; the session's shell stays.
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

    async fn send(&self, input: CommandInput) -> Result<(), Error> {
        let api = self.client.ready().await?;
        api.session_input(&self.session, &self.id, input).await
    }

    fn source(&self) -> LogSource {
        LogSource::command(&*self.session, &*self.id)
    }
}

/// Reads a log to its end.
pub(crate) async fn collect(mut log: LogStream) -> Result<CommandOutput, Error> {
    let mut output = Collected::new();
    while let Some(event) = log.next().await {
        match event? {
            LogEvent::Output { channel, bytes, .. } => output.push(channel, &bytes),
            LogEvent::Gap { length, .. } => output.skip(length),
            _ => {}
        }
    }
    Ok(output.output())
}

/// Passes a log to `on_output` as it is written, to its end.
pub(crate) async fn pass(
    mut log: LogStream,
    mut on_output: impl AsyncFnMut(Channel, Bytes),
) -> Result<(), Error> {
    while let Some(event) = log.next().await {
        if let LogEvent::Output { channel, bytes, .. } = event? {
            on_output(channel, bytes).await;
        }
    }
    Ok(())
}

/// The code of a daemon that holds as much input as may wait for a command.
const TOO_MANY_REQUESTS: &str = "TOO_MANY_REQUESTS";
