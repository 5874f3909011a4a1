//! Soft time limits: commands that run on after the response.

use std::sync::Arc;
use std::time::Duration;

use sandbox_process::Isolation;
use sandbox_tests::Sandbox;
use sandbox_transport::{
    CallOptions, ExecRequest, ExecStreamRequest, LogOptions, LogSource, Outcome, ProcessApi,
    ResourceLimits, Signal, Termination,
};

use super::cases;
use super::exec::command;
use super::isolation::can_isolate;
use super::transcript::{Joined, Transcript, as_text};

cases![
    runs_on,
    hard_limits,
    signals,
    stay_applied,
    keys,
    a_client_that_leaves,
    refusals,
];

/// Mostly long enough for the first output, and short enough for a test.
const SOFT: Duration = Duration::from_secs(1);

fn soft(text: &str) -> ExecRequest {
    ExecRequest {
        soft_timeout: Some(SOFT),
        ..command(text)
    }
}

/// A command that waits for a line in the pipe `go`.
fn waiting(before: &str) -> ExecRequest {
    soft(&format!("{before}; read line < go; echo end $line; exit 3"))
}

async fn make_pipe(api: &Arc<dyn ProcessApi>, name: &str) {
    let made = api.execute(command(&format!("mkfifo {name}"))).await;
    assert_eq!(made.unwrap().termination, Termination::Exited { code: 0 });
}

/// Runs a command until it has written `begin` and `err` and its soft limit has passed, which is longer on a busy machine.
async fn begun(api: &Arc<dyn ProcessApi>, request: &ExecRequest) -> Outcome {
    let mut soft_timeout = SOFT;
    loop {
        let request = ExecRequest {
            soft_timeout: Some(soft_timeout),
            ..request.clone()
        };
        let outcome = api.execute(request).await.unwrap();
        let Termination::StillRunning { exec_id } = &outcome.termination else {
            panic!("{outcome:?}");
        };
        let text = String::from_utf8_lossy(&outcome.output.combined);
        if ["begin\n", "err\n"].iter().all(|line| text.contains(line)) {
            return outcome;
        }
        api.exec_signal(exec_id, Signal::KILL).await.unwrap();
        soft_timeout *= 2;
    }
}

/// Returns the id of a command that still runs.
fn id_of(told: &mut Transcript, outcome: &Outcome) -> String {
    let Termination::StillRunning { exec_id } = &outcome.termination else {
        panic!("{outcome:?}");
    };
    told.name(exec_id, "id");
    exec_id.clone()
}

fn log(id: &str) -> LogSource {
    LogSource::Exec {
        exec_id: id.to_owned(),
    }
}

/// Follows a command from an offset to its end, and reports what it wrote and how it ended.
async fn follow(api: &Arc<dyn ProcessApi>, told: &mut Transcript, id: &str, offset: u64) {
    let options = LogOptions::new().offset(offset);
    let mut events = api.follow_log(log(id), options).await.unwrap();
    let mut joined = Joined::default();
    while let Some(event) = events.next().await {
        if let Some(other) = joined.log(event.unwrap()) {
            told.tell("event", other);
        }
    }
    told.tell("output", joined.text());
    told.result("info", api.exec_info(id).await);
}

async fn runs_on(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    make_pipe(api, "go").await;
    let quick = ExecRequest {
        soft_timeout: Some(Duration::from_secs(60)),
        ..command("echo out; exit 3")
    };
    told.result("in time", api.execute(quick).await);
    for split_output in [None, Some(true)] {
        let request = ExecRequest {
            split_output,
            ..waiting("echo begin; echo err >&2")
        };
        let mut outcome = begun(api, &request).await;
        let id = id_of(told, &outcome);
        if split_output == Some(true) {
            // Two pipes have no order.
            outcome.output.combined.clear();
        }
        told.tell("so far", outcome);
        let info = api.exec_info(&id).await.unwrap();
        assert!(info.is_running(), "{info:?}");
        told.tell("info", info);
        let mut logs = as_text(api.logs(log(&id)).await.unwrap());
        logs.combined.clear();
        told.tell("logs", logs);
        api.execute(command("echo now > go")).await.unwrap();
        follow(api, told, &id, 0).await;
        follow(api, told, &id, 10).await;
        told.result("late", api.exec_signal(&id, Signal::TERM).await);
    }
}

/// The limit that ends a command does so in the background as well, and is the end that is reported.
async fn hard_limits(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let request = ExecRequest {
        soft_timeout: Some(Duration::from_millis(50)),
        timeout: Some(SOFT),
        ..command("exec sleep 600")
    };
    let outcome = api.execute(request).await.unwrap();
    let id = id_of(told, &outcome);
    follow(api, told, &id, 0).await;
    // No time at all: whatever it has done so far, it runs.
    let request = ExecRequest {
        soft_timeout: Some(Duration::ZERO),
        ..command("exec sleep 600")
    };
    let outcome = api.execute(request).await.unwrap();
    let id = id_of(told, &outcome);
    told.result("kill", api.exec_signal(&id, Signal::KILL).await);
    follow(api, told, &id, 0).await;
}

async fn signals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    make_pipe(api, "ready").await;
    let text = "sleep 600 & trap 'echo caught; exit 4' USR1; echo ready > ready; wait";
    let outcome = api.execute(soft(text)).await.unwrap();
    let id = id_of(told, &outcome);
    told.result("ready", api.execute(command("cat ready")).await);
    for signal in [Signal(999), "USR1".parse().unwrap()] {
        told.result("signal", api.exec_signal(&id, signal).await);
    }
    follow(api, told, &id, 0).await;
    // The facade finds it, too.
    let background = sandbox.process.background(&id);
    told.result("facade", background.wait().await);
    told.result("logs", background.logs().await);
    let end = background.wait_with(async |_, _| {}).await;
    told.result("end", end);
}

/// A command that runs on has no more rights than before.
async fn stay_applied(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    make_pipe(api, "go").await;
    let limits = ResourceLimits {
        open_files: Some(64),
        ..ResourceLimits::default()
    };
    let mut request = ExecRequest {
        limits,
        ..soft(
            "read line < go; ulimit -n; (echo x > /usr/sandbox-soft-test) 2>/dev/null && echo wrote || echo refused",
        )
    };
    if can_isolate(sandbox, told).await {
        request.isolation = Some(Isolation::strict());
    } else {
        // With the rights of root it could.
        request.command = request.command.replace("/usr/", "/no/such/");
    }
    let outcome = api.execute(request).await.unwrap();
    told.tell("level", outcome.isolation_level);
    let id = id_of(told, &outcome);
    api.execute(command("echo now > go")).await.unwrap();
    follow(api, told, &id, 0).await;
}

/// A request that is sent again finds the same command.
async fn keys(sandbox: &Sandbox, told: &mut Transcript) {
    let options = CallOptions::new().idempotency_key("soft");
    let api = sandbox.process.api();
    let keyed = api.with_options(options);
    make_pipe(api, "go").await;
    let request = || waiting("echo x >> count");
    for _ in 0..2 {
        let outcome = keyed.execute(request()).await.unwrap();
        id_of(told, &outcome);
        told.tell("termination", outcome.termination);
    }
    // It is opened when the command has counted itself.
    api.execute(command("echo now > go")).await.unwrap();
    let count = command("wc -l < count");
    told.result("count", api.execute(count).await);
}

async fn a_client_that_leaves(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for pipe in ["ready", "go", "done"] {
        make_pipe(api, pipe).await;
    }
    let text = "echo ready > ready; read line < go; echo $line > done";
    let request = ExecRequest {
        soft_timeout: Some(Duration::from_secs(60)),
        ..command(text)
    };
    let own = Arc::clone(api);
    let leaving = tokio::spawn(async move { own.execute(request).await });
    told.result("ready", api.execute(command("cat ready")).await);
    leaving.abort();
    let _ = leaving.await;
    told.result("go", api.execute(command("echo on > go")).await);
    told.result("done", api.execute(command("cat done")).await);
}

async fn refusals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let limited = |soft_timeout, timeout| ExecRequest {
        soft_timeout: Some(soft_timeout),
        timeout: Some(timeout),
        ..command("true")
    };
    let second = Duration::from_secs(1);
    for (soft, hard) in [(second, second), (2 * second, second)] {
        told.result("too long", api.execute(limited(soft, hard)).await);
    }
    // Longer than any command runs.
    let absurd = ExecRequest {
        soft_timeout: Some(Duration::MAX),
        ..command("echo absurd")
    };
    told.result("absurd", api.execute(absurd).await);
    let streamed = ExecStreamRequest {
        request: soft("true"),
        ..ExecStreamRequest::default()
    };
    let error = api.execute_stream(streamed).await.unwrap_err();
    told.error("streamed", &error);
    let error = api.exec_info("").await.unwrap_err();
    told.tell("empty", (error.kind(), error.delivery()));
    for id in ["none", "a/b", "\u{e9}"] {
        told.result(id, api.exec_info(id).await);
        told.result(id, api.logs(log(id)).await);
        told.result(id, api.exec_signal(id, Signal::TERM).await);
        let error = api.follow_log(log(id), LogOptions::new()).await.err();
        told.tell(id, error.map(|error| error.kind()));
    }
}
