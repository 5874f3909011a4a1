//! Sessions and their commands by the names of the official SDKs.

use sandbox_logcodec::{Channel, TextDecoder};
use sandbox_transport::{
    CommandInfo, Error, LogEvent, LogOptions, LogSource, LogStream, SessionExecuteRequest,
    SessionInfo,
};

use super::handler::OutputHandler;
use super::response::{SessionCommandLogsResponse, SessionExecuteResponse};
use crate::process::Process;

/// Sessions, by the names of the [official SDKs](crate::sdk).
impl Process {
    /// Returns a session and its commands. See [`Session::info`](crate::Session::info).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`Session::info`](crate::Session::info).
    pub async fn get_session(&self, session_id: &str) -> Result<SessionInfo, Error> {
        self.session(session_id).info().await
    }

    /// Deletes a session. See [`Session::delete`](crate::Session::delete).
    ///
    /// # Cancel safety
    ///
    /// As for [`Session::delete`](crate::Session::delete).
    ///
    /// # Errors
    ///
    /// Those of [`Session::delete`](crate::Session::delete).
    pub async fn delete_session(&self, session_id: &str) -> Result<(), Error> {
        self.session(session_id).delete().await
    }

    /// Runs a command in a session: to its end, or, with [`run_async`](SessionExecuteRequest::run_async), in the background; the
    /// response has only the [id](SessionExecuteResponse::cmd_id) then. See [`Session::run`](crate::Session::run) and
    /// [`Session::spawn`](crate::Session::spawn).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the command runs on.
    ///
    /// # Errors
    ///
    /// Those of [`SessionRun`](crate::SessionRun).
    pub async fn execute_session_command(
        &self,
        session_id: &str,
        request: SessionExecuteRequest,
    ) -> Result<SessionExecuteResponse, Error> {
        let api = self.client().ready().await?;
        let outcome = api.session_execute(session_id, request).await;
        outcome.map(SessionExecuteResponse::from)
    }

    /// Returns a command of a session. See [`SessionCommand::info`](crate::SessionCommand::info).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`SessionCommand::info`](crate::SessionCommand::info).
    pub async fn get_session_command(
        &self,
        session_id: &str,
        command_id: &str,
    ) -> Result<CommandInfo, Error> {
        self.session(session_id).command(command_id).info().await
    }

    /// Returns what a command has written so far, as text. See [`SessionCommand::logs`](crate::SessionCommand::logs).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`SessionCommand::logs`](crate::SessionCommand::logs).
    pub async fn get_session_command_logs(
        &self,
        session_id: &str,
        command_id: &str,
    ) -> Result<SessionCommandLogsResponse, Error> {
        let source = LogSource::command(session_id, command_id);
        let output = self.client().ready().await?.logs(source).await;
        output.map(SessionCommandLogsResponse::from)
    }

    /// Passes what a command writes to the handlers, from its beginning to its end, as text: a character that arrives in two pieces
    /// is passed whole. A handler is a closure that returns nothing or a future; the next piece waits for it. See
    /// [`SessionCommand::wait_with`](crate::SessionCommand::wait_with).
    ///
    /// Resolves when the command has ended and everything that it wrote was passed, except bytes that the daemon no longer has of a
    /// very long log.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the handlers are not called again; the command runs on.
    ///
    /// # Errors
    ///
    /// Those of [`SessionCommand::wait`](crate::SessionCommand::wait).
    pub async fn get_session_command_logs_async<A, B>(
        &self,
        session_id: &str,
        command_id: &str,
        on_stdout: impl OutputHandler<A>,
        on_stderr: impl OutputHandler<B>,
    ) -> Result<(), Error> {
        let command = self.session(session_id).command(command_id);
        let log = command.follow(LogOptions::new()).await?;
        pass(log, on_stdout, on_stderr).await
    }

    /// Sends a running command a line of input; a newline is added if there is none. See
    /// [`SessionCommand::write_line`](crate::SessionCommand::write_line).
    ///
    /// # Cancel safety
    ///
    /// As for [`SessionCommand::write_line`](crate::SessionCommand::write_line).
    ///
    /// # Errors
    ///
    /// Those of [`SessionCommand::write_line`](crate::SessionCommand::write_line).
    pub async fn send_session_command_input(
        &self,
        session_id: &str,
        command_id: &str,
        data: &str,
    ) -> Result<(), Error> {
        let command = self.session(session_id).command(command_id);
        command.write_line(data).await
    }

    /// Returns the entrypoint's session. See [`Process::entrypoint_session`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`Process::entrypoint_session`].
    pub async fn get_entrypoint_session(&self) -> Result<SessionInfo, Error> {
        self.entrypoint_session().await
    }

    /// Returns what the entrypoint has written so far, as text. See [`Process::entrypoint_logs`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`Process::entrypoint_logs`].
    pub async fn get_entrypoint_logs(&self) -> Result<SessionCommandLogsResponse, Error> {
        let output = self
            .client()
            .ready()
            .await?
            .logs(LogSource::Entrypoint)
            .await;
        output.map(SessionCommandLogsResponse::from)
    }

    /// Passes what the entrypoint writes to the handlers, as
    /// [`get_session_command_logs_async`](Self::get_session_command_logs_async) does.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the handlers are not called again.
    ///
    /// # Errors
    ///
    /// Those of [`Process::follow_entrypoint`].
    pub async fn get_entrypoint_logs_async<A, B>(
        &self,
        on_stdout: impl OutputHandler<A>,
        on_stderr: impl OutputHandler<B>,
    ) -> Result<(), Error> {
        let log = self.follow_entrypoint(LogOptions::new()).await?;
        pass(log, on_stdout, on_stderr).await
    }
}

/// Passes a log to handlers, as text.
async fn pass<A, B>(
    mut log: LogStream,
    mut on_stdout: impl OutputHandler<A>,
    mut on_stderr: impl OutputHandler<B>,
) -> Result<(), Error> {
    let mut decoder = TextDecoder::new();
    while let Some(event) = log.next().await {
        if let LogEvent::Output { channel, bytes, .. } = event? {
            let text = decoder.decode(channel, &bytes).into_owned();
            if !text.is_empty() {
                match channel {
                    Channel::Stdout => on_stdout.call(text).await,
                    Channel::Stderr => on_stderr.call(text).await,
                }
            }
        }
    }
    let [stdout, stderr] =
        [Channel::Stdout, Channel::Stderr].map(|channel| decoder.finish(channel));
    if !stdout.is_empty() {
        on_stdout.call(stdout.to_owned()).await;
    }
    if !stderr.is_empty() {
        on_stderr.call(stderr.to_owned()).await;
    }
    Ok(())
}
