//! Interpreters.

use std::sync::Arc;
use std::time::Duration;

use sandbox_tests::Sandbox;
use sandbox_transport::{
    CallOptions, ContextInfo, ContextRequest, InterpretRequest, InterpreterEvent,
    InterpreterOutcome, ProcessApi, Termination,
};

use super::cases;
use super::transcript::{Joined, Transcript};

cases![
    contexts,
    created_once,
    runs,
    bytes,
    ends,
    refusals,
    interrupted
];

/// A context is created once by a key.
async fn created_once(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let mut ids = Vec::new();
    for key in ["one", "one", "two"] {
        let keyed = api.with_options(CallOptions::new().idempotency_key(key));
        let created = keyed.create_context(ContextRequest::default()).await;
        ids.push(created.unwrap().id);
    }
    told.tell("same", ids[0] == ids[1]);
    told.tell("other", ids[0] != ids[2]);
    for id in &ids[1..] {
        api.delete_context(id).await.unwrap();
    }
}

fn request(code: &str) -> InterpretRequest {
    InterpretRequest {
        code: code.to_owned(),
        ..InterpretRequest::default()
    }
}

/// Without the time.
fn timeless(context: ContextInfo) -> ContextInfo {
    assert!(context.created_at.is_some(), "{context:?}");
    ContextInfo {
        created_at: None,
        ..context
    }
}

async fn contexts(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for cwd in [None, Some("/")] {
        let request = ContextRequest {
            cwd: cwd.map(str::to_owned),
            language: Some("python".to_owned()),
            ..ContextRequest::default()
        };
        let context = api.create_context(request).await.unwrap();
        told.name(&context.id, cwd.unwrap_or("first"));
        told.tell("context", timeless(context));
    }
    let listed = api.list_contexts().await.unwrap();
    let ids: Vec<_> = listed.iter().map(|context| context.id.clone()).collect();
    told.tell("list", listed.into_iter().map(timeless).collect::<Vec<_>>());
    for id in ids.iter().chain([&ids[0], &"default".to_owned()]) {
        told.result("delete", api.delete_context(id).await);
    }
    let request = ContextRequest {
        cwd: None,
        language: Some("cobol".to_owned()),
        ..ContextRequest::default()
    };
    told.result("language", api.create_context(request).await);
}

async fn runs(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for code in [
        "x = 40",
        "x + 2",
        "print('é' * 10000); import sys; print('err', file=sys.stderr)",
        "def f():\n    return 1 / 0\nf()",
        "print('a'); raise ValueError('no')",
        "{'a': [1, None]}",
        "syntax error",
        " ",
    ] {
        interpret(told, api, request(code)).await;
    }
    let with_variables = InterpretRequest {
        env: [
            ("V".to_owned(), "w".to_owned()),
            ("W".to_owned(), String::new()),
        ]
        .into(),
        ..request("import os; os.environ['V'] + os.environ['W']")
    };
    interpret(told, api, with_variables).await;
    interpret(told, api, request("'V' in os.environ")).await;
}

/// Output and pictures, byte for byte.
async fn bytes(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let code = "import sys
class Shown:
    def _repr_png_(self):
        return bytes(range(256))
    def _repr_html_(self):
        return '<b>é</b>'
    def __repr__(self):
        return 'shown'
n = sys.stdout.buffer.write(b'a\\xffb\\xc3'); sys.stdout.flush()
Shown()";
    let mut run = api.interpret(request(code)).await.unwrap();
    let mut joined = Joined::default();
    let mut displays = 0;
    while let Some(event) = run.next().await {
        match joined.interpreter(event.unwrap()) {
            Some(InterpreterEvent::Display(shown)) => {
                let picture: Vec<u8> = (0..=255).collect();
                assert_eq!(shown.data["image/png"], picture);
                assert_eq!(shown.data["text/html"], "<b>é</b>");
                assert_eq!(shown.text, "shown");
                displays += 1;
            }
            Some(other) => told.tell("event", other),
            None => {}
        }
    }
    assert_eq!(displays, 1);
    told.bytes("written", &joined.stdout, b"a\xffb\xc3");
}

async fn ends(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let limited = InterpretRequest {
        timeout: Some(Duration::from_secs(1)),
        ..request("print('begin'); import time; time.sleep(60)")
    };
    interpret(told, api, limited).await;
    interpret(told, api, request("import os; y = 1; os._exit(3)")).await;
    interpret(told, api, request("y")).await;
    told.result("restart", api.restart_context("default").await);
    let unlimited = InterpretRequest {
        timeout: Some(Duration::MAX),
        ..request("print('again')")
    };
    interpret(told, api, unlimited).await;

    let context = api.create_context(ContextRequest::default()).await.unwrap();
    let of_its_own = InterpretRequest {
        context_id: Some(context.id.clone()),
        ..request("print('begin', flush=True); import time; time.sleep(60)")
    };
    let mut run = api.interpret(of_its_own).await.unwrap();
    run.next().await.unwrap().unwrap();
    told.result("delete", api.delete_context(&context.id).await);
    told.tell("deleted", run.next().await.unwrap().unwrap());
}

async fn refusals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let bad = [
        request(""),
        InterpretRequest {
            context_id: Some("none".to_owned()),
            ..request("1")
        },
        InterpretRequest {
            env: [("A=B".to_owned(), String::new())].into(),
            ..request("1")
        },
    ];
    for request in bad {
        let mut run = api.interpret(request).await.unwrap();
        let error = match run.next().await.unwrap() {
            Err(error) => error,
            Ok(event) => {
                told.tell("taken", event);
                continue;
            }
        };
        // Its words differ: a close reason is short.
        told.tell("refused", (error.kind(), error.delivery()));
        assert!(run.next().await.is_none());
    }
    told.result("interrupt", api.interrupt_context("none").await);
    told.result("restart", api.restart_context("none").await);
    told.result("idle", api.interrupt_context("default").await);
}

async fn interrupted(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let slow = "z = 1; print('begin', flush=True)\nimport time; time.sleep(60)";
    let mut run = api.interpret(request(slow)).await.unwrap();
    told.tell("begun", run.next().await.unwrap().unwrap());
    told.result("interrupt", api.interrupt_context("default").await);
    let mut end = None;
    while let Some(event) = run.next().await {
        match event.unwrap() {
            InterpreterEvent::Error { name, .. } => told.tell("error", name),
            event => end = Some(event),
        }
    }
    let Some(InterpreterEvent::Ended {
        outcome: InterpreterOutcome::Interrupted,
        termination,
        usage,
    }) = end
    else {
        panic!("{end:?}");
    };
    assert_eq!(termination, Some(Termination::Signaled { signal: 2 }));
    assert!(usage.is_some_and(|usage| !usage.wall_time.is_zero()));
    interpret(told, api, request("z")).await;
}

async fn interpret(told: &mut Transcript, api: &Arc<dyn ProcessApi>, request: InterpretRequest) {
    let code = request.code.clone();
    let mut run = api.interpret(request).await.unwrap();
    let mut joined = Joined::default();
    while let Some(event) = run.next().await {
        if let Some(other) = joined.interpreter(event.unwrap()) {
            told.tell(&code, other);
        }
    }
    told.tell("output", joined.text());
}
