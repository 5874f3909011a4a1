//! Names of the official SDKs, and lists.

use crate::{
    CommandInfo, ContextInfo, Logs, PtyInfo, PtySize, SessionCommandLogsResponse,
    SessionExecuteRequest, SessionExecuteResponse, SessionInfo,
};

waiting! {
    version() -> String;
    ports() -> Vec<u16>;
    port_in_use(port: u16) -> bool;
    list_sessions() -> Vec<SessionInfo>;
    list_ptys() -> Vec<PtyInfo>;
    list_contexts() -> Vec<ContextInfo>;
    entrypoint_session() -> SessionInfo;
    entrypoint_logs() -> Logs;
    get_session(session_id: &str) -> SessionInfo;
    delete_session(session_id: &str) -> ();
    execute_session_command(session_id: &str, request: SessionExecuteRequest) -> SessionExecuteResponse;
    get_session_command(session_id: &str, command_id: &str) -> CommandInfo;
    get_session_command_logs(session_id: &str, command_id: &str) -> SessionCommandLogsResponse;
    send_session_command_input(session_id: &str, command_id: &str, data: &str) -> ();
    get_entrypoint_session() -> SessionInfo;
    get_entrypoint_logs() -> SessionCommandLogsResponse;
    list_pty_sessions() -> Vec<PtyInfo>;
    get_pty_session_info(id: &str) -> PtyInfo;
    kill_pty_session(id: &str) -> ();
    resize_pty_session(id: &str, size: PtySize) -> PtyInfo;
}
