//! Sessions and the logs of their commands.

use super::Process;
use crate::{
    Command, CommandInput, Error, Session, SessionCommandLogsResponse, SessionExecuteRequest,
    SessionExecuteResponse, SyncHandler,
};

impl Process {
    /// Hands what a command writes to the handlers, to its end.
    ///
    /// # Errors
    ///
    /// See [`crate::Process::get_session_command_logs_async`].
    pub fn follow_session_command_logs(
        &self,
        session_id: &str,
        command_id: &str,
        on_stdout: impl FnMut(String) + Send,
        on_stderr: impl FnMut(String) + Send,
    ) -> Result<(), Error> {
        self.wait(
            self.as_async()
                .get_session_command_logs_async::<SyncHandler, SyncHandler>(
                    session_id, command_id, on_stdout, on_stderr,
                ),
        )
    }
}

waiting! {
    create_session(session_id: &str) -> ();
    get_session(session_id: &str) -> Session;
    list_sessions() -> Vec<Session>;
    delete_session(session_id: &str) -> ();
    execute_session_command(session_id: &str, request: SessionExecuteRequest) -> SessionExecuteResponse;
    get_session_command(session_id: &str, command_id: &str) -> Command;
    get_session_command_logs(session_id: &str, command_id: &str) -> SessionCommandLogsResponse;
    send_session_command_input(session_id: &str, command_id: &str, data: &str) -> ();
    signal_session_command(session_id: &str, command_id: &str, signal: &str) -> ();
    send_session_command_bytes(session_id: &str, command_id: &str, input: CommandInput) -> ();
    get_entrypoint_session() -> Session;
    get_entrypoint_logs() -> SessionCommandLogsResponse;
}
