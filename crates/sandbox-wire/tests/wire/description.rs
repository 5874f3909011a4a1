//! The OpenAPI description of the daemon, held against the bodies: it names every field that travels, and no other.

use serde::Serialize;
use serde_json::Value;

use crate::samples;

const DESCRIPTION: &str = include_str!("../../../sandbox-daemon/src/http/openapi.json");

#[track_caller]
fn described(schema: &str, body: &impl Serialize) {
    let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
    let properties = &description["components"]["schemas"][schema]["properties"];
    let described = keys(properties);
    let sent = keys(&serde_json::to_value(body).unwrap());
    assert_eq!(described, sent, "{schema}");
}

#[track_caller]
fn keys(object: &Value) -> Vec<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

macro_rules! described {
    ($($sample:ident: $schema:literal,)*) => {$(
        #[test]
        fn $sample() {
            described($schema, &samples::$sample());
        }
    )*};
}

described! {
    error_envelope: "Error",
    create_context_request: "CreateContext",
    interpreter_context: "Context",
    isolation: "Isolation",
    termination: "Termination",
    pty_create_request: "CreatePty",
    pty_resize: "PtySize",
    pty_info: "Pty",
    dir: "Directory",
    initialize: "Initialize",
    system_metrics: "SystemMetrics",
    execute_request: "ExecuteRequest",
    execute_response: "ExecuteResponse",
    code_run_request: "CodeRunRequest",
    code_run_response: "CodeRunResponse",
    create_session_request: "CreateSession",
    session: "Session",
    session_command: "Command",
    session_execute_request: "SessionExecuteRequest",
    session_execute_response: "SessionExecuteResponse",
    session_command_logs: "Logs",
    session_send_input: "Input",
    file_info: "FileInfo",
    found_line: "Match",
    search_files: "SearchFiles",
    replace_request: "ReplaceRequest",
    replace_result: "ReplaceResult",
    files_download: "FilesDownload",
    uploaded_file: "UploadedFile",
    port_list: "PortList",
    port_in_use: "PortInUse",
}
