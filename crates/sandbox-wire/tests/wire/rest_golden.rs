//! The exact text of each REST body: all of it, and as little as there can be.

use sandbox_wire::rest::*;

use crate::{golden, read, samples};

#[test]
fn execute() {
    golden(
        &samples::execute_request(),
        r#"{"command":"make test","cwd":"src","envs":{"A":"b"},"timeout":5,"timeoutMillis":4500,"softTimeoutMillis":900,"splitOutput":true,"limits":{"memoryBytes":1,"processes":2,"millicpus":3,"fileBytes":4,"openFiles":5},"isolation":{"level":"landlock","network":"host","binds":[{"path":"/a","source":"/b","access":"write"}],"hidden":["/c"],"scratch":["/d"],"scratchBytes":9}}"#,
    );
    golden(
        &read::<ExecuteRequest>(r#"{"command":""}"#),
        r#"{"command":""}"#,
    );
    golden(
        &samples::execute_response(),
        r#"{"exitCode":2,"result":"a\nb\n","stdout":"a\n","stderr":"b\n","termination":{"kind":"exited","exitCode":2,"signal":9,"reason":"why","limit":"memory","usage":{"wallMicros":1,"userMicros":2,"systemMicros":3,"peakRssBytes":4,"peakMemoryBytes":5,"memoryKills":6,"refusedForks":7}},"truncation":{"totalBytes":10,"droppedBytes":4},"isolationLevel":"namespaces","execId":"e"}"#,
    );
    golden(&ExecuteResponse::default(), r#"{"result":""}"#);
}

#[test]
fn kinds_of_termination() {
    use TerminationKind::*;
    let kinds = [
        (Exited, "exited"),
        (Signaled, "signaled"),
        (TimedOut, "timed_out"),
        (OutOfMemory, "out_of_memory"),
        (SpawnFailed, "spawn_failed"),
        (Lost, "lost"),
        (Unknown, "unknown"),
    ];
    for (kind, name) in kinds {
        golden(&kind, &format!("\"{name}\""));
    }
    assert_eq!(read::<TerminationKind>(r#""eaten_by_a_dog""#), Unknown);
    assert_eq!(
        read::<Termination>(r#"{"kind":"timed_out"}"#).exit_code,
        None
    );
}

#[test]
fn code_run() {
    golden(
        &samples::code_run_request(),
        r#"{"code":"print(1)","language":"python","argv":["a b"],"envs":{"A":"b"},"timeout":5,"timeoutMillis":4500,"splitOutput":true,"limits":{"memoryBytes":1,"processes":2,"millicpus":3,"fileBytes":4,"openFiles":5},"isolation":{"level":"landlock","network":"host","binds":[{"path":"/a","source":"/b","access":"write"}],"hidden":["/c"],"scratch":["/d"],"scratchBytes":9}}"#,
    );
    golden(&CodeRunRequest::default(), r#"{"code":"","language":""}"#);
    golden(
        &samples::code_run_response(),
        r#"{"exitCode":0,"result":"a\nb\n","artifacts":{"charts":[{"type":"line"}]},"stdout":"a\n","stderr":"b\n","termination":{"kind":"exited","exitCode":2,"signal":9,"reason":"why","limit":"memory","usage":{"wallMicros":1,"userMicros":2,"systemMicros":3,"peakRssBytes":4,"peakMemoryBytes":5,"memoryKills":6,"refusedForks":7}},"truncation":{"totalBytes":10,"droppedBytes":4},"isolationLevel":"namespaces"}"#,
    );
    golden(&CodeRunResponse::default(), r#"{"result":""}"#);
}

#[test]
fn sessions() {
    golden(
        &samples::create_session_request(),
        r#"{"sessionId":"s","limits":{"memoryBytes":1,"processes":2,"millicpus":3,"fileBytes":4,"openFiles":5},"isolation":{"level":"landlock","network":"host","binds":[{"path":"/a","source":"/b","access":"write"}],"hidden":["/c"],"scratch":["/d"],"scratchBytes":9}}"#,
    );
    golden(
        &samples::session(),
        r#"{"sessionId":"s","commands":[{"id":"c","command":"make","exitCode":2,"termination":{"kind":"exited","exitCode":2,"signal":9,"reason":"why","limit":"memory","usage":{"wallMicros":1,"userMicros":2,"systemMicros":3,"peakRssBytes":4,"peakMemoryBytes":5,"memoryKills":6,"refusedForks":7}}}],"termination":{"kind":"exited","exitCode":2,"signal":9,"reason":"why","limit":"memory","usage":{"wallMicros":1,"userMicros":2,"systemMicros":3,"peakRssBytes":4,"peakMemoryBytes":5,"memoryKills":6,"refusedForks":7}},"forgottenCommands":3,"isolationLevel":"namespaces"}"#,
    );
    // A command that runs has no exit code; a session without commands has a list all the same.
    golden(&SessionCommand::default(), r#"{"id":"","command":""}"#);
    golden(&Session::default(), r#"{"sessionId":"","commands":[]}"#);
    golden(
        &samples::session_execute_request(),
        r#"{"command":"make","runAsync":true,"async":false,"suppressInputEcho":true,"commandId":"c","cwd":"src","envs":{"A":"b"},"user":"u","timeout":5,"timeoutMillis":4500}"#,
    );
    golden(&SessionExecuteRequest::default(), r#"{"command":""}"#);
    golden(
        &samples::session_execute_response(),
        r#"{"cmdId":"c","output":"\u0001\u0001\u0001a\n\u0002\u0002\u0002b\n","stdout":"a\n","stderr":"b\n","exitCode":2,"termination":{"kind":"exited","exitCode":2,"signal":9,"reason":"why","limit":"memory","usage":{"wallMicros":1,"userMicros":2,"systemMicros":3,"peakRssBytes":4,"peakMemoryBytes":5,"memoryKills":6,"refusedForks":7}},"truncation":{"totalBytes":10,"droppedBytes":4},"sessionEnded":true}"#,
    );
    golden(
        &samples::session_send_input(),
        r#"{"data":"yes\n","raw":true,"eof":true}"#,
    );
    for (signal, body) in [
        (SignalSpec::Name("INT".to_owned()), r#"{"signal":"INT"}"#),
        (SignalSpec::Number(15), r#"{"signal":15}"#),
    ] {
        golden(&SessionSignalRequest { signal }, body);
    }
    golden(
        &samples::session_command_logs(),
        r#"{"output":"\u0001\u0001\u0001a\n","stdout":"a\n","stderr":"","truncation":{"totalBytes":10,"droppedBytes":4}}"#,
    );
}

/// A response to an asynchronous command has its other fields as `null`, not left out.
#[test]
fn asynchronous_responses_have_nulls() {
    let response = SessionExecuteResponse {
        cmd_id: "c".to_owned(),
        ..SessionExecuteResponse::default()
    };
    golden(
        &response,
        r#"{"cmdId":"c","output":null,"stdout":null,"stderr":null,"exitCode":null}"#,
    );
    assert_eq!(read::<SessionExecuteResponse>(r#"{"cmdId":"c"}"#), response);
}

#[test]
fn terminals() {
    golden(
        &samples::pty_create_request(),
        r#"{"id":"p","cwd":"/usr","envs":{"A":"b"},"cols":100,"rows":30,"lazyStart":true,"limits":{"memoryBytes":1,"processes":2,"millicpus":3,"fileBytes":4,"openFiles":5},"isolation":{"level":"landlock","network":"host","binds":[{"path":"/a","source":"/b","access":"write"}],"hidden":["/c"],"scratch":["/d"],"scratchBytes":9}}"#,
    );
    golden(&PtyCreateRequest::default(), r#"{"id":""}"#);
    golden(&samples::pty_create_response(), r#"{"sessionId":"p"}"#);
    golden(
        &samples::pty_list(),
        r#"{"sessions":[{"id":"p","cwd":"/usr","envs":{"TERM":"xterm-256color"},"cols":100,"rows":30,"createdAt":"2026-11-02T10:20:30.123456789Z","active":true,"lazyStart":false,"isolationLevel":"namespaces"}]}"#,
    );
    golden(&PtyListResponse::default(), r#"{"sessions":[]}"#);
    golden(&samples::pty_resize(), r#"{"cols":1,"rows":1000}"#);
}

#[test]
fn interpreters() {
    golden(
        &samples::create_context_request(),
        r#"{"cwd":"/usr","language":"python","limits":{"memoryBytes":1,"processes":2,"millicpus":3,"fileBytes":4,"openFiles":5},"isolation":{"level":"landlock","network":"host","binds":[{"path":"/a","source":"/b","access":"write"}],"hidden":["/c"],"scratch":["/d"],"scratchBytes":9}}"#,
    );
    golden(&CreateContextRequest::default(), "{}");
    golden(
        &samples::list_contexts(),
        r#"{"contexts":[{"id":"i","cwd":"/usr","createdAt":"2026-11-02T10:20:30Z","active":true,"language":"python","isolationLevel":"namespaces"}]}"#,
    );
    golden(&ListContextsResponse::default(), r#"{"contexts":[]}"#);
}

#[test]
fn the_daemon_itself() {
    golden(
        &Version {
            version: "v0.1.0".to_owned(),
            isolation: None,
            limits: Vec::new(),
        },
        r#"{"version":"v0.1.0"}"#,
    );
    golden(
        &Version {
            version: "v0.1.0".to_owned(),
            isolation: None,
            limits: vec![
                LimitSupport {
                    limit: ResourceLimit::Memory,
                    mechanism: Some("cgroup-v2".to_owned()),
                    problem: None,
                },
                LimitSupport {
                    limit: ResourceLimit::Cpus,
                    mechanism: None,
                    problem: Some("why".to_owned()),
                },
            ],
        },
        r#"{"version":"v0.1.0","limits":[{"limit":"memory","mechanism":"cgroup-v2"},{"limit":"cpus","problem":"why"}]}"#,
    );
    golden(
        &IsolationSupport {
            level: IsolationLevel::Landlock,
            levels: vec![IsolationLevel::Landlock],
            by_default: true,
            problem: Some("why".to_owned()),
            help: Some("how".to_owned()),
            network_problem: Some("no way".to_owned()),
        },
        r#"{"level":"landlock","levels":["landlock"],"byDefault":true,"problem":"why","help":"how","networkProblem":"no way"}"#,
    );
    golden(&Isolation::default(), "{}");
    assert!(serde_json::from_str::<Isolation>(r#"{"hides":["/a"]}"#).is_err());
    golden(
        &Health {
            status: "ok".to_owned(),
        },
        r#"{"status":"ok"}"#,
    );
    golden(&samples::dir(), r#"{"dir":"/home/user"}"#);
    golden(
        &MessageResponse {
            message: "done".to_owned(),
        },
        r#"{"message":"done"}"#,
    );
    golden(&samples::initialize(), r#"{"token":"t"}"#);
    golden(&InitializeRequest::default(), "{}");
    golden(
        &samples::update_env(),
        r#"{"set":{"A":"b"},"unset":["B"],"unsetValuePrefix":"secret:"}"#,
    );
    golden(&UpdateEnvRequest::default(), "{}");
    golden(
        &samples::system_metrics(),
        r#"{"cpuCount":2,"cpuUsedPct":12.5,"memTotal":8589934592,"memUsed":1,"memCache":2,"diskTotal":3,"diskUsed":4,"diskFree":5,"containment":"rlimit-tag","timestamp":"2026-11-02T10:20:30Z","timestampUnix":1793614830}"#,
    );
    golden(&SystemMetrics::default(), "{}");
}

#[test]
fn errors() {
    golden(
        &samples::error_envelope(),
        r#"{"statusCode":408,"message":"too late","code":"PROCESS_EXECUTION_TIMEOUT","source":"DAYTONA_DAEMON","timestamp":"2026-11-02T10:20:30Z","path":"/process/execute","method":"POST","result":"a\n","stdout":"a\n","stderr":"","artifacts":{"charts":[{"type":"line"}]},"termination":{"kind":"exited","exitCode":2,"signal":9,"reason":"why","limit":"memory","usage":{"wallMicros":1,"userMicros":2,"systemMicros":3,"peakRssBytes":4,"peakMemoryBytes":5,"memoryKills":6,"refusedForks":7}},"truncation":{"totalBytes":10,"droppedBytes":4},"isolationLevel":"namespaces","errors":["a: no space left"]}"#,
    );
    golden(
        &ErrorEnvelope::default(),
        r#"{"statusCode":0,"message":"","timestamp":"","path":""}"#,
    );
}
