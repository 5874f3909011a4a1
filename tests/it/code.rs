//! `Process::code_run`, without charts.

use std::time::Duration;

use sandbox_process::{CodeRunParams, ExecuteResponse, Termination};
use sandbox_tests::Sandbox;

async fn a_program_prints(sandbox: Sandbox) {
    let process = &sandbox.process;
    let response = process
        .code_run("x = 10\ny = 20\nprint(f\"Sum: {x + y}\")")
        .await
        .unwrap();
    assert_eq!(response.stdout, "Sum: 30\n");
    assert_eq!(response.exit_code(), Some(0));
    let response = ExecuteResponse::from(response);
    assert_eq!(response.artifacts.stdout, "Sum: 30\n");
    sandbox.shutdown().await;
}
on_every_transport!(a_program_prints: embedded, http);

async fn arguments_and_variables_are_verbatim(sandbox: Sandbox) {
    let process = &sandbox.process;
    let argv = ["a b", "; id", "$(id)", "*", "'\"", ""];
    let params = CodeRunParams {
        argv: argv.iter().map(|argument| (*argument).to_owned()).collect(),
        env: [("K".to_owned(), "v\n w".to_owned())].into(),
    };
    let code = "import os, sys\nprint(sys.argv[1:], repr(os.environ['K']))";
    let response = process.code_run(code).params(params).await.unwrap();
    assert_eq!(
        response.stdout,
        "['a b', '; id', '$(id)', '*', '\\'\"', ''] 'v\\n w'\n"
    );
    sandbox.shutdown().await;
}
on_every_transport!(arguments_and_variables_are_verbatim: embedded, http);

async fn channels_are_separate_or_merged(sandbox: Sandbox) {
    let process = &sandbox.process;
    let code = "import sys\nprint('o', flush=True)\nprint('e', file=sys.stderr)\nsys.exit(3)";
    let response = process.code_run(code).await.unwrap();
    assert_eq!(
        (&*response.stdout, &*response.stderr),
        (&b"o\n"[..], &b"e\n"[..])
    );
    assert_eq!(response.exit_code(), Some(3));
    let response = process.code_run(code).merge_stderr().await.unwrap();
    assert_eq!(
        (&*response.stdout, &*response.stderr),
        (&b"o\ne\n"[..], &b""[..])
    );
    assert_eq!(ExecuteResponse::from(response).result, "o\ne\n");
    sandbox.shutdown().await;
}
on_every_transport!(channels_are_separate_or_merged: embedded, http);

async fn an_exception_is_an_exit_code(sandbox: Sandbox) {
    let process = &sandbox.process;
    let response = process.code_run("1/0").await.unwrap();
    assert_eq!(response.exit_code(), Some(1));
    assert!(
        response
            .stderr_lossy()
            .ends_with("ZeroDivisionError: division by zero\n"),
        "{response:?}"
    );
    sandbox.shutdown().await;
}
on_every_transport!(an_exception_is_an_exit_code: embedded, http);

async fn a_signal_is_a_termination(sandbox: Sandbox) {
    let process = &sandbox.process;
    let response = process.code_run("import os; os.abort()").await.unwrap();
    assert_eq!(response.termination, Termination::Signaled { signal: 6 });
    sandbox.shutdown().await;
}
on_every_transport!(a_signal_is_a_termination: embedded, http);

async fn a_time_limit_keeps_what_was_printed(sandbox: Sandbox) {
    let process = &sandbox.process;
    let code = "print('begun')\nwhile True: pass";
    let response = process
        .code_run(code)
        .timeout(Duration::from_secs(4))
        .await
        .unwrap();
    assert_eq!(response.termination, Termination::TimedOut);
    assert_eq!(response.stdout, "begun\n");
    sandbox.shutdown().await;
}
on_every_transport!(a_time_limit_keeps_what_was_printed: embedded, http);

async fn a_line_like_an_artifact_is_a_line(sandbox: Sandbox) {
    let process = &sandbox.process;
    // A line that looks like an artifact of the reference's is a line.
    let line = "dtn_artifact_k39fd2:{\"type\":\"chart\",\"value\":{\"type\":\"line\"}}";
    let response = process.code_run(format!("print('{line}')")).await.unwrap();
    assert_eq!(response.stdout, format!("{line}\n"));
    assert!(response.charts.is_empty());
    sandbox.shutdown().await;
}
on_every_transport!(a_line_like_an_artifact_is_a_line: embedded, http);

#[test]
fn the_client_names_the_languages_that_the_engine_runs() {
    use std::collections::BTreeSet;

    let client = sandbox_process::Language::ALL.map(sandbox_process::Language::name);
    let engine = sandbox_engine::code::Language::ALL.iter();
    let engine: BTreeSet<_> = engine.map(|language| language.name()).collect();
    assert_eq!(BTreeSet::from(client), engine);
}
