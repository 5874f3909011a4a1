//! Isolated processes.

use std::path::Path;

use sandbox_process::transport::{
    ContextRequest, ExecRequest, ExecStreamRequest, InterpretRequest, PtyRequest, RunRequest,
    SessionExecuteRequest, SessionRequest,
};
use sandbox_process::{Access, ExecEvent, Isolation, IsolationLevel, Network};
use sandbox_tests::Sandbox;

use super::cases;
use super::transcript::Transcript;

cases![commands, programs, lasting, without_namespaces, refusals];

/// A command that reports whether it may write outside of the working directory.
const WRITE: &str =
    "(echo x > /usr/sandbox-isolation-test) 2>/dev/null && echo wrote || echo refused";

/// The strictest isolation that shows the interpreter of the tests, which may be in a directory that is hidden.
fn strict() -> Option<Isolation> {
    let mut isolation = Isolation::strict();
    if let Some(python) = sandbox_tests::python() {
        let environment = python.parent().and_then(Path::parent).unwrap();
        let interpreter = std::fs::canonicalize(&python).unwrap();
        let installation = interpreter.parent().and_then(Path::parent).unwrap();
        for directory in [environment, installation] {
            let directory = std::fs::canonicalize(directory).unwrap();
            if !directory.starts_with("/usr") {
                isolation = isolation.read(directory.to_str().unwrap());
            }
        }
    }
    Some(isolation)
}

/// Returns whether the machine lets processes be isolated; if not, says that the case is skipped.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(super) async fn can_isolate(sandbox: &Sandbox, told: &mut Transcript) -> bool {
    let capabilities = sandbox.process.api().capabilities().await.unwrap();
    let support = capabilities.isolation.expect("the daemon knows isolation");
    told.tell("support", &support);
    if support.level == Some(IsolationLevel::Namespaces) {
        return true;
    }
    eprintln!("skipped: {support:?}");
    false
}

async fn commands(sandbox: &Sandbox, told: &mut Transcript) {
    if !can_isolate(sandbox, told).await {
        return;
    }
    let api = sandbox.process.api();
    let request = |isolation| ExecRequest {
        isolation,
        split_output: Some(true),
        ..ExecRequest::new(WRITE)
    };
    let outcome = api.execute(request(strict())).await.unwrap();
    assert_eq!(outcome.output.stdout.as_deref(), Some(&b"refused\n"[..]));
    assert_eq!(outcome.isolation_level, Some(IsolationLevel::Namespaces));
    told.tell("isolated", (outcome.output, outcome.termination));
    let plain = api.execute(ExecRequest::new("true")).await.unwrap();
    assert_eq!(plain.isolation_level, Some(IsolationLevel::None));

    let mut stream = api
        .execute_stream(ExecStreamRequest {
            request: request(strict()),
            ..ExecStreamRequest::default()
        })
        .await
        .unwrap();
    assert_eq!(stream.isolation_level, Some(IsolationLevel::Namespaces));
    let mut output = Vec::new();
    while let Some(event) = stream.events.next().await {
        if let ExecEvent::Output { bytes, .. } = event.unwrap() {
            output.extend_from_slice(&bytes);
        }
    }
    assert_eq!(output, b"refused\n");

    // What may be written is what was asked for.
    let directory = tempfile::tempdir().unwrap();
    let outside = std::fs::canonicalize(directory.path()).unwrap();
    let path = outside.to_str().unwrap();
    let isolation = Isolation::strict()
        .write(path)
        .scratch("/opt")
        .hide("/usr/share");
    let command = format!("echo a > {path}/file && cat {path}/file; ls -A /usr/share /opt");
    let outcome = api.execute(ExecRequest {
        isolation: Some(isolation),
        ..ExecRequest::new(command)
    });
    told.tell("bound", outcome.await.unwrap().output.combined);
}

async fn programs(sandbox: &Sandbox, told: &mut Transcript) {
    if !can_isolate(sandbox, told).await {
        return;
    }
    let code = "import os; print(os.getpid()); open('/usr/sandbox-isolation-test', 'w')";
    let outcome = sandbox.process.api().code_run(RunRequest {
        code: code.to_owned(),
        language: "python".to_owned(),
        isolation: strict(),
        split_output: true,
        ..RunRequest::default()
    });
    let outcome = outcome.await.unwrap();
    assert_eq!(outcome.isolation_level, Some(IsolationLevel::Namespaces));
    told.tell("stdout", outcome.output.stdout);
    told.tell("end", outcome.termination);
}

async fn lasting(sandbox: &Sandbox, told: &mut Transcript) {
    if !can_isolate(sandbox, told).await {
        return;
    }
    let api = sandbox.process.api();
    let request = SessionRequest {
        isolation: strict(),
        ..SessionRequest::new("isolated")
    };
    api.create_session(request).await.unwrap();
    let session = api.get_session("isolated").await.unwrap();
    assert_eq!(session.isolation_level, Some(IsolationLevel::Namespaces));
    let ran = api.session_execute("isolated", SessionExecuteRequest::new(WRITE));
    told.tell("session", ran.await.unwrap().output);

    let request = PtyRequest {
        id: "isolated".to_owned(),
        isolation: strict(),
        ..PtyRequest::default()
    };
    let connection = api.open_pty(request).await.unwrap();
    let pty = api.pty_info("isolated").await.unwrap();
    assert_eq!(pty.isolation_level, Some(IsolationLevel::Namespaces));
    drop(connection);
    told.result("pty", api.delete_pty("isolated").await);

    let request = ContextRequest {
        isolation: strict(),
        ..ContextRequest::default()
    };
    let context = api.create_context(request).await.unwrap();
    assert_eq!(context.isolation_level, Some(IsolationLevel::Namespaces));
    let request = InterpretRequest {
        code: "open('/usr/sandbox-isolation-test', 'w')".to_owned(),
        context_id: Some(context.id),
        ..InterpretRequest::default()
    };
    let mut run = api.interpret(request).await.unwrap();
    let mut kinds = Vec::new();
    while let Some(event) = run.next().await {
        let text = format!("{:?}", event.unwrap());
        kinds.push(text.contains("Read-only file system"));
    }
    assert!(kinds.contains(&true), "the write was not refused");
}

async fn without_namespaces(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let support = api.capabilities().await.unwrap().isolation.unwrap();
    if !support.levels.contains(&IsolationLevel::Landlock) {
        return told.tell("skipped", &support);
    }
    let request = ExecRequest {
        isolation: Some(Isolation::strict().level(IsolationLevel::Landlock)),
        ..ExecRequest::new(WRITE)
    };
    let outcome = api.execute(request).await.unwrap();
    assert_eq!(&outcome.output.combined[..], b"refused\n");
    assert_eq!(outcome.isolation_level, Some(IsolationLevel::Landlock));
    told.tell("isolated", outcome.termination);
    let request = ExecRequest {
        isolation: Some(
            Isolation::strict()
                .level(IsolationLevel::Landlock)
                .scratch("/a"),
        ),
        ..ExecRequest::new(WRITE)
    };
    told.result("impossible", api.execute(request).await.map(drop));
}

async fn refusals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for isolation in [
        Isolation::strict().read("relative"),
        Isolation::strict().level(IsolationLevel::None),
        Isolation::strict().write("/"),
        Isolation::strict().bind("/usr", "/proc/x", Access::Read),
        Isolation::strict().hide("/a").read("/a"),
        Isolation::strict()
            .scratch_bytes(0)
            .network(Network::None)
            .write("/no/such/path"),
    ] {
        let request = ExecRequest {
            isolation: Some(isolation),
            ..ExecRequest::new("echo never")
        };
        let error = api.execute(request).await.unwrap_err();
        let code = error.code().map(str::to_owned);
        assert!(code.is_some(), "{error:?}");
    }
    if can_isolate(sandbox, told).await {
        let request = ExecRequest {
            isolation: Some(Isolation::strict().write("/no/such/path")),
            ..ExecRequest::new("echo never")
        };
        let error = api.execute(request).await.unwrap_err();
        assert_eq!(error.code(), Some("ISOLATION_UNAVAILABLE"));
        told.tell("missing", error.to_string());
    }
}
