//! Commands of their own.

use std::sync::Arc;
use std::time::Duration;

use sandbox_tests::Sandbox;
use sandbox_transport::{
    CallOptions, Error, ExecConnection, ExecControl, ExecEvent, ExecRequest, ExecStreamRequest,
    Limit, ProcessApi, ResourceLimits, Signal, Termination,
};

use super::cases;
use super::transcript::{Joined, Transcript};

cases![
    outputs,
    ends,
    places_and_variables,
    limits,
    resources,
    refusals,
    what_is_no_text,
    a_child_in_the_background,
    keys,
    streamed,
    streamed_input,
    streamed_signals,
    streamed_limits,
    streamed_refusals,
];

pub(super) fn command(text: &str) -> ExecRequest {
    ExecRequest::new(text)
}

fn with_variables(text: &str, variables: &[(&str, &str)]) -> ExecRequest {
    let variables = variables.iter();
    let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ExecRequest {
        env: variables.collect(),
        ..command(text)
    }
}

async fn resources(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let run = async |text: &str, limits| {
        let request = ExecRequest {
            limits,
            ..command(text)
        };
        api.execute(request).await
    };
    let limits = ResourceLimits {
        file_bytes: Some(1000),
        open_files: Some(64),
        ..ResourceLimits::default()
    };
    told.result("open files", run("ulimit -n", limits).await);
    let long = "exec head -c 2000 /dev/zero > long";
    let ended = run(long, limits).await.unwrap();
    let limit = Limit::FileSize;
    assert_eq!(ended.termination, Termination::LimitExceeded { limit });
    told.tell("file size", ended);
    let few = ResourceLimits {
        open_files: Some(1),
        ..ResourceLimits::default()
    };
    told.result("out of range", run("true", few).await);
    let memory = ResourceLimits {
        memory_bytes: Some(48 << 20),
        processes: Some(50),
        ..ResourceLimits::default()
    };
    // Where no control group can be made this is a refusal.
    told.result("memory", run("exec tail /dev/zero", memory).await);
}

async fn outputs(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for split_output in [None, Some(false), Some(true)] {
        let request = ExecRequest {
            split_output,
            ..command("echo out; echo err >&2; echo out again")
        };
        let mut response = api.execute(request).await.unwrap();
        if split_output == Some(true) {
            // Two pipes have no order.
            response.output.combined.clear();
        }
        told.tell("response", response);
    }
    told.result("nothing", api.execute(command(":")).await);
    let long =
        "i=0; while [ $i -lt 20000 ]; do echo \"line $i of a long output\"; i=$((i + 1)); done";
    told.result("long", api.execute(command(long)).await);
    told.result(
        "input is empty",
        api.execute(command("cat; echo end")).await,
    );
}

async fn ends(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for text in [
        "exit 7",
        "exit 255",
        "kill -TERM $$",
        "kill -KILL $$",
        "no-such-program-here",
    ] {
        told.result(text, api.execute(command(text)).await);
    }
}

async fn places_and_variables(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for cwd in ["/", "", "no/such"] {
        let request = ExecRequest {
            cwd: Some(cwd.to_owned()),
            ..command("pwd")
        };
        told.result(cwd, api.execute(request).await);
    }
    let request = with_variables(
        "echo \"$A,${B-none},$C\"",
        &[("A", "x y\nz"), ("B", ""), ("C", "\u{e9}")],
    );
    told.result("variables", api.execute(request).await);
}

async fn limits(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let slow = "echo begin; echo err >&2; sleep 60; echo end";
    let request = ExecRequest {
        timeout: Some(Duration::from_secs(1)),
        ..command(slow)
    };
    told.result("a second", api.execute(request).await);
    let request = ExecRequest {
        timeout: Some(Duration::from_millis(300)),
        split_output: Some(true),
        ..command("echo begin; sleep 60")
    };
    told.result("less", api.execute(request).await);
    let request = ExecRequest {
        timeout: Some(Duration::ZERO),
        ..command("sleep 60")
    };
    told.result("nothing at all", api.execute(request).await);
}

async fn refusals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for text in ["", " \t\n"] {
        told.result("blank", api.execute(command(text)).await);
    }
    for name in ["", "A-B", "1A", "A=B"] {
        let request = with_variables("true", &[(name, "x")]);
        told.result(name, api.execute(request).await);
    }
}

async fn what_is_no_text(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let text = "printf 'a\\377\\303b\\303\\251'; printf '\\001\\001\\001\\002'";
    let written = b"a\xff\xc3b\xc3\xa9\x01\x01\x01\x02";
    for split_output in [None, Some(true)] {
        let request = ExecRequest {
            split_output,
            ..command(&format!("{text}; printf '\\200' >&2"))
        };
        let outcome = api.execute(request).await.unwrap();
        told.tell("end", (&outcome.termination, outcome.output.truncation));
        match outcome.output.stdout {
            Some(stdout) => {
                told.bytes("stdout", &stdout, written);
                told.bytes("stderr", &outcome.output.stderr.unwrap(), b"\x80");
            }
            None => {
                let both = [&written[..], b"\x80"].concat();
                told.bytes("both", &outcome.output.combined, &both);
            }
        }
    }
    let outcome = sandbox.process.exec(text).await.unwrap();
    told.bytes("facade", &outcome.stdout, written);
    told.tell("as text", outcome.stdout_lossy());
}

async fn a_child_in_the_background(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let text = "sleep 300 & echo $! > pid; echo started";
    told.result("started", api.execute(command(text)).await);
    told.result(
        "killed",
        api.execute(command("kill -KILL $(cat pid)")).await,
    );
}

/// What has a key is done once.
async fn keys(sandbox: &Sandbox, told: &mut Transcript) {
    let keyed = |key: &str| {
        let options = CallOptions::new().idempotency_key(key);
        sandbox.process.api().with_options(options)
    };
    let count = || command("echo x >> count; wc -l < count");
    for key in ["one", "one", "two", "one"] {
        told.result(key, keyed(key).execute(count()).await);
    }
}

async fn streamed(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for split_output in [None, Some(true), Some(false)] {
        let request = ExecRequest {
            split_output,
            ..command("echo out; printf '\\377\\001\\001\\001'; echo err >&2; exit 3")
        };
        follow(told, "streamed", start(api, request, false).await).await;
    }
    follow(told, "empty", start(api, command("cat"), false).await).await;
}

async fn streamed_input(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let mut connection = start(api, command("wc -c; echo done"), true).await.unwrap();
    let control = Arc::clone(&connection.control);
    told.result("write", control.write(vec![b'x'; 100_000].into()).await);
    told.result("nothing", control.write("".into()).await);
    told.result("close", control.close_input().await);
    told.result("write on", control.write("more".into()).await);
    let refused = loop {
        match connection.events.next().await.unwrap().unwrap() {
            ExecEvent::Refused { code, message } => break Some((code, message)),
            ExecEvent::Ended { .. } => break None,
            _ => {}
        }
    };
    // It may have ended before the daemon saw what came too late.
    assert!(refused.is_none_or(|(code, _)| code == "CONFLICT"));

    let connection = start(api, command("cat"), false).await.unwrap();
    let mut events = connection.events;
    while let Some(event) = events.next().await {
        event.unwrap();
    }
    // The end of the connection is seen soon after its last event.
    let error = sandbox_error(&*connection.control).await;
    told.tell("behind the end", (error.kind(), error.delivery()));
}

/// What the control of a command says whose connection has ended.
async fn sandbox_error(control: &dyn ExecControl) -> Error {
    let wait = Duration::from_millis(20);
    for _ in 0..500 {
        if let Err(error) = control.write("x".into()).await {
            return error;
        }
        tokio::time::sleep(wait).await;
    }
    panic!("there is somebody who takes input");
}

async fn streamed_signals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for signal in [
        Signal::TERM,
        "sigusr1".parse().unwrap(),
        Signal::KILL,
        Signal(0),
        Signal(999),
    ] {
        let text = "echo ready; sleep 60";
        let mut connection = start(api, command(text), true).await.unwrap();
        // It runs once it has written.
        connection.events.next().await.unwrap().unwrap();
        told.result("signal", connection.control.signal(signal).await);
        let next = connection.events.next().await.unwrap().unwrap();
        match next {
            ExecEvent::Refused { code, .. } => {
                told.tell("refused", code);
                connection.control.signal(Signal::KILL).await.unwrap();
                told.tell("then", connection.events.next().await.unwrap().unwrap());
            }
            event => told.tell("event", event),
        }
    }
}

async fn streamed_limits(sandbox: &Sandbox, told: &mut Transcript) {
    let request = ExecRequest {
        timeout: Some(Duration::from_millis(300)),
        ..command("echo begin; sleep 60")
    };
    let api = sandbox.process.api();
    follow(told, "limited", start(api, request, false).await).await;
}

async fn streamed_refusals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let bad = [
        command(" "),
        with_variables("true", &[("A-B", "")]),
        ExecRequest {
            cwd: Some("no/such".to_owned()),
            ..command("true")
        },
    ];
    for request in bad {
        let error = start(api, request, false).await.unwrap_err();
        told.tell("refused", (error.kind(), error.delivery(), error.status()));
        told.tell("code", error.code());
    }
}

async fn start(
    api: &Arc<dyn ProcessApi>,
    request: ExecRequest,
    input: bool,
) -> Result<ExecConnection, Error> {
    let request = ExecStreamRequest {
        request,
        input,
        ..ExecStreamRequest::default()
    };
    api.execute_stream(request).await
}

async fn follow(told: &mut Transcript, what: &str, begun: Result<ExecConnection, Error>) {
    let mut connection = begun.unwrap();
    let mut joined = Joined::default();
    while let Some(event) = connection.events.next().await {
        if let Some(other) = joined.exec(event.unwrap()) {
            told.tell(what, (joined.text(), other));
        }
    }
}
