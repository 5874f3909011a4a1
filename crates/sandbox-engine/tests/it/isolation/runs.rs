//! Runs, from their start to their end.

use std::io;
use std::pin::Pin;

use sandbox_engine::isolation::{Access, Isolation, IsolationError, Level};
use sandbox_engine::spawner::{Direct, SpawnSpec, Spawned};
use sandbox_engine::{
    Engine, ExecError, PtySize, RunError, RunOptions, Signal, SpawnError, Spawner, Termination,
};

use super::{Machine, can_isolate};
use crate::guard::{eventually, pid_of, repeat, text, unique_sleep};

#[tokio::test]
async fn an_isolated_run_works_as_another() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let outcome = machine.run(&Isolation::strict(), "echo hi; exit 3").await;
    assert_eq!(outcome.termination, Termination::Exited { code: 3 });
    assert_eq!(outcome.level, Level::Namespaces);
    assert_eq!(text(&outcome), "hi\n");
    machine.check("echo $$ $PPID", "2 1\n").await;
    machine
        .check("hostname || cat /proc/sys/kernel/hostname", "sandbox\n")
        .await;
    let work_dir = machine.work_dir.path().display();
    machine.check("pwd", &format!("{work_dir}\n")).await;
    machine.check("echo a > f; cat f", "a\n").await;
    assert_eq!(std::fs::read(machine.path("f")).unwrap(), b"a\n");
    let probed = machine.engine.probe_isolation(&Isolation::strict()).await;
    assert_eq!(probed.unwrap(), Level::Namespaces);
}

/// A launcher that was started ahead serves one run, as it was described.
#[tokio::test]
async fn no_run_finds_anything_of_another_in_its_launcher() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let show = "echo $$ $PPID; hostname; ls -A /tmp /home; ls /proc/self/fd; echo ${LEFT-none}";
    let cold = text(&machine.run(&Isolation::strict(), show).await);
    let leave = "touch /tmp/left; mkdir /home/left; hostname left 2>/dev/null; export LEFT=1; exec 9>/tmp/held; sleep 1000 &";
    machine.check(leave, "").await;
    machine.check(show, &cold).await;
    let hidden = Isolation::builder().hide(machine.path("hidden"));
    std::fs::write(machine.path("hidden"), "secret").unwrap();
    // The spare was started for no description in particular.
    machine.warm(&Isolation::strict()).await;
    let seen = machine
        .run(&hidden.build().unwrap(), "cat hidden || pwd")
        .await;
    assert!(!text(&seen).contains("secret"), "{seen:?}");
    assert!(text(&seen).ends_with(&format!("{}\n", machine.work_dir.path().display())));
}

/// Executes in the place of a launcher a program that ends well without a word.
#[derive(Debug)]
struct Silent;

impl Spawner for Silent {
    fn spawn(
        &self,
        mut spec: SpawnSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Spawned, SpawnError>> + Send + '_>> {
        spec.program = "/bin/true".into();
        spec.argv = vec!["true".into()];
        Box::pin(async move { Direct::new().spawn(spec).await })
    }
}

#[tokio::test]
async fn a_launcher_that_ends_without_a_verdict_is_no_run() {
    if !can_isolate().await {
        return;
    }
    let engine = Engine::builder().shell("/bin/bash").spawner(Silent);
    let engine = engine.cold().build().unwrap();
    let probed = engine.probe_isolation(&Isolation::strict()).await;
    assert!(
        matches!(probed, Err(IsolationError::NoVerdict)),
        "{probed:?}"
    );
    let options = RunOptions {
        isolation: Some(Isolation::strict()),
        ..RunOptions::default()
    };
    match engine.exec("true", options).await {
        Err(ExecError::Run(RunError::Spawn(SpawnError::Isolation(IsolationError::NoVerdict)))) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ends_are_exact() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    for code in [0, 1, 125, 127, 255] {
        let outcome = machine
            .run(&Isolation::strict(), &format!("exit {code}"))
            .await;
        assert_eq!(outcome.termination, Termination::Exited { code });
    }
    for signal in [1, 6, 9, 11, 15] {
        let outcome = machine
            .run(&Isolation::strict(), &format!("kill -{signal} $$"))
            .await;
        let expect = Termination::Signaled {
            signal,
            core_dumped: false,
        };
        assert_eq!(outcome.termination, expect);
    }
}

#[tokio::test]
async fn nothing_of_a_run_remains() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let sleep = unique_sleep();
    let command = format!("setsid sleep {sleep} & (sleep {sleep} &) & echo started");
    machine.check(&command, "started\n").await;
    assert_eq!(pid_of(&sleep), None);

    let options = RunOptions {
        isolation: Some(Isolation::strict()),
        timeout: Some(std::time::Duration::from_millis(300)),
        ..RunOptions::default()
    };
    let command = format!("trap '' TERM; setsid sleep {sleep} & sleep {sleep}");
    let outcome = machine.engine.exec(&command, options).await.unwrap();
    assert!(matches!(outcome.termination, Termination::TimedOut { .. }));
    eventually("the end of what ran", || pid_of(&sleep).is_none()).await;
}

#[tokio::test]
async fn a_helper_at_the_other_end_of_a_pipe_writes_its_output() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    machine
        .check("exec > >(sed s/^/x/); seq 3", "x1\nx2\nx3\n")
        .await;
}

#[tokio::test]
async fn errors_are_those_of_the_view() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let program = |argv: &[&str]| argv.iter().map(Into::into).collect::<Vec<_>>();
    let options = RunOptions {
        isolation: Some(Isolation::strict()),
        ..RunOptions::default()
    };
    let started = machine
        .engine
        .start_program(program(&["/no/such/program"]), options.clone())
        .await;
    match started {
        Err(ExecError::Run(RunError::Spawn(SpawnError::Program { path, source }))) => {
            assert_eq!(path.to_str(), Some("/no/such/program"));
            assert_eq!(source.kind(), io::ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
    let hidden = tempfile::tempdir().unwrap();
    let options = RunOptions {
        cwd: Some(hidden.path().into()),
        ..options
    };
    match machine.engine.exec("pwd", options).await {
        Err(ExecError::Run(RunError::Spawn(SpawnError::WorkDir { path, source }))) => {
            assert_eq!(path, hidden.path());
            assert_eq!(source.kind(), io::ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
    let missing = Isolation::builder().bind("/no/such/file", Access::Read);
    let refused = machine.try_run(&missing.build().unwrap(), "true").await;
    let Err(ExecError::Run(RunError::Spawn(SpawnError::Isolation(error)))) = refused else {
        panic!("{refused:?}");
    };
    assert!(error.to_string().contains("/no/such/file"), "{error}");
}

#[tokio::test]
async fn a_terminal_is_the_programs_own() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let options = RunOptions {
        isolation: Some(Isolation::strict()),
        terminal: Some(PtySize::new(100, 40).unwrap()),
        ..RunOptions::default()
    };
    let command = "[ -t 0 ] && [ -t 1 ] && echo terminal; stty size < /dev/tty; set -m; \
                   true | cat; echo job; exit 4";
    let outcome = machine.engine.exec(command, options).await.unwrap();
    let expect = "terminal\r\n40 100\r\njob\r\n";
    assert_eq!(text(&outcome), expect);
    assert_eq!(outcome.termination, Termination::Exited { code: 4 });
}

#[tokio::test]
async fn signals_reach_the_program() {
    if !can_isolate().await {
        return;
    }
    let machine = Machine::new();
    let options = RunOptions {
        isolation: Some(Isolation::strict()),
        ..RunOptions::default()
    };
    let command = "trap 'echo usr1; exit 5' USR1; echo ready; while :; do sleep 0.01; done";
    let command = machine.engine.start(command, options).await.unwrap();
    let mut cursor = command.record().follow(0).unwrap();
    assert!(cursor.next().await.is_some());
    command.signal(Signal::USR1).await.unwrap();
    assert_eq!(command.ended().await, Termination::Exited { code: 5 });
    assert_eq!(command.level(), Level::Namespaces);
}

/// An engine that is root of a user namespace that does not let even root change its groups.
#[test]
fn a_run_works_where_groups_are_fixed() {
    let this = std::env::current_exe().unwrap();
    let words = ["unshare", "-U", "-r", this.to_str().unwrap()];
    let test = "isolation::runs::an_isolated_run_works_as_another";
    repeat(test, &words, |command| command);
}
