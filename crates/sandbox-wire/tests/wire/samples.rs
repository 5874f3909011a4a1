//! A value of each REST body with every field set. No `..Default::default()`: a field that is added must be added here.

use std::collections::BTreeMap;

use sandbox_wire::rest::*;
use serde_json::json;

pub(crate) fn execute_request() -> ExecuteRequest {
    ExecuteRequest {
        command: "make test".to_owned(),
        cwd: text("src"),
        envs: envs(),
        timeout: Some(5),
        timeout_millis: Some(4500),
        soft_timeout_millis: Some(900),
        split_output: Some(true),
        limits: Some(limits()),
        isolation: Some(isolation()),
    }
}

pub(crate) fn execute_response() -> ExecuteResponse {
    ExecuteResponse {
        exit_code: Some(2),
        result: "a\nb\n".to_owned(),
        stdout: text("a\n"),
        stderr: text("b\n"),
        termination: Some(termination()),
        truncation: Some(truncation()),
        isolation_level: Some(IsolationLevel::Namespaces),
        exec_id: text("e"),
    }
}

pub(crate) fn code_run_request() -> CodeRunRequest {
    CodeRunRequest {
        code: "print(1)".to_owned(),
        language: "python".to_owned(),
        argv: Some(vec!["a b".to_owned()]),
        envs: envs(),
        timeout: Some(5),
        timeout_millis: Some(4500),
        split_output: Some(true),
        limits: Some(limits()),
        isolation: Some(isolation()),
    }
}

pub(crate) fn code_run_response() -> CodeRunResponse {
    CodeRunResponse {
        exit_code: Some(0),
        result: "a\nb\n".to_owned(),
        artifacts: Some(artifacts()),
        stdout: text("a\n"),
        stderr: text("b\n"),
        termination: Some(termination()),
        truncation: Some(truncation()),
        isolation_level: Some(IsolationLevel::Namespaces),
    }
}

pub(crate) fn artifacts() -> Artifacts {
    Artifacts {
        charts: Some(vec![json!({"type": "line"})]),
    }
}

pub(crate) fn isolation() -> Isolation {
    Isolation {
        level: Some(IsolationLevel::Landlock),
        network: Some(IsolationNetwork::Host),
        binds: vec![IsolationBind {
            path: "/a".to_owned(),
            source: text("/b"),
            access: IsolationAccess::Write,
        }],
        hidden: vec!["/c".to_owned()],
        scratch: vec!["/d".to_owned()],
        scratch_bytes: Some(9),
    }
}

pub(crate) fn termination() -> Termination {
    Termination {
        kind: TerminationKind::Exited,
        exit_code: Some(2),
        signal: Some(9),
        reason: text("why"),
        limit: Some(ResourceLimit::Memory),
        usage: Some(ResourceUsage {
            wall_micros: 1,
            user_micros: 2,
            system_micros: 3,
            peak_rss_bytes: Some(4),
            peak_memory_bytes: Some(5),
            memory_kills: 6,
            refused_forks: 7,
        }),
    }
}

fn limits() -> ResourceLimits {
    ResourceLimits {
        memory_bytes: Some(1),
        processes: Some(2),
        millicpus: Some(3),
        file_bytes: Some(4),
        open_files: Some(5),
    }
}

fn truncation() -> OutputTruncation {
    OutputTruncation {
        total_bytes: 10,
        dropped_bytes: 4,
    }
}

pub(crate) fn create_session_request() -> CreateSessionRequest {
    CreateSessionRequest {
        session_id: "s".to_owned(),
        limits: Some(limits()),
        isolation: Some(isolation()),
    }
}

pub(crate) fn session() -> Session {
    Session {
        session_id: "s".to_owned(),
        commands: vec![session_command()],
        termination: Some(termination()),
        forgotten_commands: Some(3),
        isolation_level: Some(IsolationLevel::Namespaces),
    }
}

pub(crate) fn session_command() -> SessionCommand {
    SessionCommand {
        id: "c".to_owned(),
        command: "make".to_owned(),
        exit_code: Some(2),
        termination: Some(termination()),
    }
}

pub(crate) fn session_execute_request() -> SessionExecuteRequest {
    SessionExecuteRequest {
        command: "make".to_owned(),
        run_async: Some(true),
        deprecated_async: Some(false),
        suppress_input_echo: Some(true),
        command_id: text("c"),
        cwd: text("src"),
        envs: envs(),
        user: text("u"),
        timeout: Some(5),
        timeout_millis: Some(4500),
    }
}

pub(crate) fn session_execute_response() -> SessionExecuteResponse {
    SessionExecuteResponse {
        cmd_id: "c".to_owned(),
        output: text("\u{1}\u{1}\u{1}a\n\u{2}\u{2}\u{2}b\n"),
        stdout: text("a\n"),
        stderr: text("b\n"),
        exit_code: Some(2),
        termination: Some(termination()),
        truncation: Some(truncation()),
        session_ended: Some(true),
    }
}

pub(crate) fn session_command_logs() -> SessionCommandLogsResponse {
    SessionCommandLogsResponse {
        output: "\u{1}\u{1}\u{1}a\n".to_owned(),
        stdout: "a\n".to_owned(),
        stderr: String::new(),
        truncation: Some(truncation()),
    }
}

pub(crate) fn session_send_input() -> SessionSendInputRequest {
    SessionSendInputRequest {
        data: "yes\n".to_owned(),
        raw: Some(true),
        eof: Some(true),
    }
}

pub(crate) fn pty_create_request() -> PtyCreateRequest {
    PtyCreateRequest {
        id: "p".to_owned(),
        cwd: text("/usr"),
        envs: envs(),
        cols: Some(100),
        rows: Some(30),
        lazy_start: Some(true),
        limits: Some(limits()),
        isolation: Some(isolation()),
    }
}

pub(crate) fn pty_create_response() -> PtyCreateResponse {
    PtyCreateResponse {
        session_id: "p".to_owned(),
    }
}

pub(crate) fn pty_list() -> PtyListResponse {
    PtyListResponse {
        sessions: vec![pty_info()],
    }
}

pub(crate) fn pty_info() -> PtySessionInfo {
    PtySessionInfo {
        id: "p".to_owned(),
        cwd: "/usr".to_owned(),
        envs: BTreeMap::from([("TERM".to_owned(), "xterm-256color".to_owned())]),
        cols: 100,
        rows: 30,
        created_at: "2026-11-02T10:20:30.123456789Z".to_owned(),
        active: true,
        lazy_start: false,
        isolation_level: Some(IsolationLevel::Namespaces),
    }
}

pub(crate) fn pty_resize() -> PtyResizeRequest {
    PtyResizeRequest {
        cols: 1,
        rows: 1000,
    }
}

pub(crate) fn create_context_request() -> CreateContextRequest {
    CreateContextRequest {
        cwd: text("/usr"),
        language: text("python"),
        limits: Some(limits()),
        isolation: Some(isolation()),
    }
}

pub(crate) fn interpreter_context() -> InterpreterContext {
    InterpreterContext {
        id: "i".to_owned(),
        cwd: "/usr".to_owned(),
        created_at: "2026-11-02T10:20:30Z".to_owned(),
        active: true,
        language: "python".to_owned(),
        isolation_level: Some(IsolationLevel::Namespaces),
    }
}

pub(crate) fn list_contexts() -> ListContextsResponse {
    ListContextsResponse {
        contexts: vec![interpreter_context()],
    }
}

pub(crate) fn error_envelope() -> ErrorEnvelope {
    ErrorEnvelope {
        status_code: 408,
        message: "too late".to_owned(),
        code: text("PROCESS_EXECUTION_TIMEOUT"),
        source: text(SOURCE_DAEMON),
        timestamp: "2026-11-02T10:20:30Z".to_owned(),
        path: "/process/execute".to_owned(),
        method: text("POST"),
        result: text("a\n"),
        stdout: text("a\n"),
        stderr: text(""),
        artifacts: Some(artifacts()),
        termination: Some(termination()),
        truncation: Some(truncation()),
        isolation_level: Some(IsolationLevel::Namespaces),
        errors: Some(vec!["a: no space left".to_owned()]),
    }
}

pub(crate) fn file_info() -> FileInfo {
    FileInfo {
        name: "a".to_owned(),
        path: text("/home/user/a"),
        is_dir: false,
        size: 5,
        mode: "-rw-r--r--".to_owned(),
        permissions: "0644".to_owned(),
        owner: "1000".to_owned(),
        group: "1000".to_owned(),
        mod_time: "2026-11-02 10:20:30 +0000 UTC".to_owned(),
        modified_at: text("2026-11-02T10:20:30Z"),
    }
}

pub(crate) fn files_download() -> FilesDownloadRequest {
    FilesDownloadRequest {
        paths: vec!["a".to_owned()],
    }
}

pub(crate) fn found_line() -> Match {
    Match {
        file: "a".to_owned(),
        line: 1,
        content: "text".to_owned(),
    }
}

pub(crate) fn search_files() -> SearchFilesResponse {
    SearchFilesResponse {
        files: vec!["a".to_owned()],
    }
}

pub(crate) fn replace_request() -> ReplaceRequest {
    ReplaceRequest {
        files: vec!["a".to_owned()],
        pattern: "old".to_owned(),
        new_value: "new".to_owned(),
    }
}

pub(crate) fn replace_result() -> ReplaceResult {
    ReplaceResult {
        file: "a".to_owned(),
        success: false,
        error: text("permission denied"),
    }
}

pub(crate) fn uploaded_file() -> UploadedFile {
    UploadedFile {
        name: "a".to_owned(),
        path: "/home/user/a".to_owned(),
        kind: "file".to_owned(),
    }
}

pub(crate) fn port_list() -> PortList {
    PortList { ports: vec![3000] }
}

pub(crate) fn port_in_use() -> PortInUse {
    PortInUse { is_in_use: true }
}

pub(crate) fn dir() -> DirResponse {
    DirResponse {
        dir: "/home/user".to_owned(),
    }
}

pub(crate) fn initialize() -> InitializeRequest {
    InitializeRequest { token: text("t") }
}

pub(crate) fn update_env() -> UpdateEnvRequest {
    UpdateEnvRequest {
        set: envs(),
        unset: Some(vec!["B".to_owned()]),
        unset_value_prefix: text("secret:"),
    }
}

pub(crate) fn system_metrics() -> SystemMetrics {
    SystemMetrics {
        cpu_count: Some(2),
        cpu_used_pct: Some(12.5),
        mem_total: Some(8_589_934_592),
        mem_used: Some(1),
        mem_cache: Some(2),
        disk_total: Some(3),
        disk_used: Some(4),
        disk_free: Some(5),
        containment: text("rlimit-tag"),
        timestamp: text("2026-11-02T10:20:30Z"),
        timestamp_unix: Some(1_793_614_830),
    }
}

fn envs() -> Option<BTreeMap<String, Option<String>>> {
    Some(BTreeMap::from([("A".to_owned(), text("b"))]))
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}
