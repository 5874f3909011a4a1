//! Sessions: shells that stay.

use sandbox_logcodec::{Channel, TextDecoder};
use sandbox_transport::{
    CommandInput, Error, LogEvent, LogOptions, LogSource, LogStream, ProcessApi,
};

use crate::stream::read_signal;
use crate::{
    Command, OutputHandler, Process, Session, SessionCommandLogsResponse, SessionExecuteRequest,
    SessionExecuteResponse,
};

/// Sessions.
///
/// A session is a shell in which commands run one after another, and what they change stays: directory, variables, functions.
///
/// # Errors
///
/// Each method here fails with [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a session or command that is not
/// there, and with whatever keeps an answer from coming.
impl Process {
    /// Starts a session under an id of the caller's choice.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when there is one with this id.
    pub async fn create_session(&self, session_id: &str) -> Result<(), Error> {
        self.ready().await?.create_session(session_id).await
    }

    /// Tells about a session and its commands.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when it is not there.
    pub async fn get_session(&self, session_id: &str) -> Result<Session, Error> {
        self.ready().await?.get_session(session_id).await
    }

    /// Lists the sessions, without the entrypoint's.
    ///
    /// # Errors
    ///
    /// Whatever keeps an answer from coming.
    pub async fn list_sessions(&self) -> Result<Vec<Session>, Error> {
        self.ready().await?.list_sessions().await
    }

    /// Ends a session with everything that runs in it, and forgets its logs.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when it is not there.
    pub async fn delete_session(&self, session_id: &str) -> Result<(), Error> {
        self.ready().await?.delete_session(session_id).await
    }

    /// Runs a command in a session: to its end, or, with [`run_async`](SessionExecuteRequest::run_async), in the background,
    /// where only [`cmd_id`](SessionExecuteResponse::cmd_id) is told.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the command may or may not have begun; one that has runs on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when the session is not there,
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when its shell has ended.
    pub async fn execute_session_command(
        &self,
        session_id: &str,
        request: SessionExecuteRequest,
    ) -> Result<SessionExecuteResponse, Error> {
        let api = self.ready().await?;
        let outcome = api.session_execute(session_id, request).await;
        outcome.map(SessionExecuteResponse::from)
    }

    /// Tells about a command of a session. Once its exit code is there, its log is complete.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when the session or the command is not there.
    pub async fn get_session_command(
        &self,
        session_id: &str,
        command_id: &str,
    ) -> Result<Command, Error> {
        let api = self.ready().await?;
        api.session_command(session_id, command_id).await
    }

    /// Tells what a command has written by now, as text. [`follow_session_command_logs`](Self::follow_session_command_logs)
    /// gives the bytes, and waits for more.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when the session or the command is not there.
    pub async fn get_session_command_logs(
        &self,
        session_id: &str,
        command_id: &str,
    ) -> Result<SessionCommandLogsResponse, Error> {
        let source = LogSource::command(session_id, command_id);
        let output = self.ready().await?.logs(source).await;
        output.map(SessionCommandLogsResponse::from)
    }

    /// Hands what a command writes to the handlers, from its beginning to its end, as text: a character that comes in two
    /// pieces is handed over whole. A handler is a closure that returns nothing or a future; the next piece waits for it.
    ///
    /// Resolves when the command has ended and all that it wrote was handed over, but for what the daemon no longer has of a
    /// very long log: [`follow_session_command_logs`](Self::follow_session_command_logs) tells where that was.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it hands nothing over any more; the command runs on.
    ///
    /// # Errors
    ///
    /// What cut the log off where it could not be gone on with, besides those of
    /// [`get_session_command_logs`](Self::get_session_command_logs).
    pub async fn get_session_command_logs_async<A, B>(
        &self,
        session_id: &str,
        command_id: &str,
        on_stdout: impl OutputHandler<A>,
        on_stderr: impl OutputHandler<B>,
    ) -> Result<(), Error> {
        let source = LogSource::command(session_id, command_id);
        hand_over(self.ready().await?, source, on_stdout, on_stderr).await
    }

    /// The bytes that a command writes, as they come: see [`LogStream`].
    ///
    /// # Errors
    ///
    /// Those of [`get_session_command_logs`](Self::get_session_command_logs).
    pub async fn follow_session_command_logs(
        &self,
        session_id: &str,
        command_id: &str,
        options: LogOptions,
    ) -> Result<LogStream, Error> {
        let source = LogSource::command(session_id, command_id);
        self.ready().await?.follow_log(source, options).await
    }

    /// Gives a running command a line of input; a newline is added where there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when the command takes none: it has ended, or was not started
    /// with [`run_async`](SessionExecuteRequest::run_async).
    pub async fn send_session_command_input(
        &self,
        session_id: &str,
        command_id: &str,
        data: &str,
    ) -> Result<(), Error> {
        let input = CommandInput::line(data);
        self.send_session_command_bytes(session_id, command_id, input)
            .await
    }

    /// Gives a running command bytes as they are, or the end of its input. *Extension* of this project's daemon, but for
    /// lines.
    ///
    /// # Errors
    ///
    /// Those of [`send_session_command_input`](Self::send_session_command_input), and
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) with other daemons.
    pub async fn send_session_command_bytes(
        &self,
        session_id: &str,
        command_id: &str,
        input: CommandInput,
    ) -> Result<(), Error> {
        let api = self.ready().await?;
        api.session_input(session_id, command_id, input).await
    }

    /// Signals all processes of a running command, by a name such as `INT` or a number. *Extension* of this project's daemon.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when it does not run,
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a name that is no signal's,
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) with other daemons.
    pub async fn signal_session_command(
        &self,
        session_id: &str,
        command_id: &str,
        signal: &str,
    ) -> Result<(), Error> {
        let signal = read_signal(signal)?;
        let api = self.ready().await?;
        api.session_signal(session_id, command_id, signal).await
    }

    /// Tells about the session of the command that the daemon was started with.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when it was started with none.
    pub async fn get_entrypoint_session(&self) -> Result<Session, Error> {
        self.ready().await?.entrypoint_session().await
    }

    /// Tells what the entrypoint has written by now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when the daemon was started with none.
    pub async fn get_entrypoint_logs(&self) -> Result<SessionCommandLogsResponse, Error> {
        let output = self.ready().await?.logs(LogSource::Entrypoint).await;
        output.map(SessionCommandLogsResponse::from)
    }

    /// Hands what the entrypoint writes to the handlers, as
    /// [`get_session_command_logs_async`](Self::get_session_command_logs_async) does.
    ///
    /// # Errors
    ///
    /// Those of [`get_entrypoint_logs`](Self::get_entrypoint_logs), and what cut the log off.
    pub async fn get_entrypoint_logs_async<A, B>(
        &self,
        on_stdout: impl OutputHandler<A>,
        on_stderr: impl OutputHandler<B>,
    ) -> Result<(), Error> {
        hand_over(
            self.ready().await?,
            LogSource::Entrypoint,
            on_stdout,
            on_stderr,
        )
        .await
    }
}

async fn hand_over<A, B>(
    api: &dyn ProcessApi,
    source: LogSource,
    mut on_stdout: impl OutputHandler<A>,
    mut on_stderr: impl OutputHandler<B>,
) -> Result<(), Error> {
    let mut log = api.follow_log(source, LogOptions::new()).await?;
    let mut decoder = TextDecoder::new();
    while let Some(event) = log.next().await {
        if let LogEvent::Output { channel, bytes, .. } = event? {
            let text = decoder.decode(channel, &bytes).into_owned();
            if !text.is_empty() {
                match channel {
                    Channel::Stdout => on_stdout.hand_over(text).await,
                    Channel::Stderr => on_stderr.hand_over(text).await,
                }
            }
        }
    }
    let [stdout, stderr] =
        [Channel::Stdout, Channel::Stderr].map(|channel| decoder.finish(channel));
    if !stdout.is_empty() {
        on_stdout.hand_over(stdout.to_owned()).await;
    }
    if !stderr.is_empty() {
        on_stderr.hand_over(stderr.to_owned()).await;
    }
    Ok(())
}
