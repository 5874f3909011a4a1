//! The level whose view the system's bubblewrap makes.

use sandbox_engine::isolation::{Access, InvalidIsolation, Isolation, IsolationBuilder, Level};
use sandbox_engine::{Outcome, PtyOptions, RunOptions, Termination};

use super::{Machine, can_have};
use crate::guard::text;

fn builder() -> IsolationBuilder {
    Isolation::builder().level(Level::Bwrap)
}

fn strict() -> Isolation {
    builder().build().unwrap()
}

#[test]
fn what_the_level_cannot_give_is_refused() {
    for described in [
        builder().root_dir("/srv"),
        builder().bind_at("/a", "/b", Access::Read),
    ] {
        let refused = described.build().unwrap_err();
        let level = Level::Bwrap;
        let is_it =
            matches!(refused, InvalidIsolation::Impossible { level: of, .. } if of == level);
        assert!(is_it, "{refused}");
    }
}

#[tokio::test]
async fn the_view_is_what_was_described() {
    let machine = Machine::new();
    if !can_have(&machine, &strict()).await {
        return;
    }
    let check = async |isolation: Isolation, command: &str, expect: &str| {
        let outcome = machine.run(&isolation, command).await;
        assert_eq!(text(&outcome), expect, "{command}");
        assert_eq!(outcome.level, Level::Bwrap);
    };
    check(
        strict(),
        "echo x > f; cat f; mkdir d; mv f d; ls d",
        "x\nf\n",
    )
    .await;
    check(
        strict(),
        "(echo > /usr/x) 2>&1 | grep -o 'Read-only.*'",
        "Read-only file system\n",
    )
    .await;
    check(strict(), "ls -A /home /root /run | grep -v : | xargs", "\n").await;
    check(
        strict(),
        "hostname; tail -n +3 /proc/net/dev | cut -d: -f1 | xargs",
        "sandbox\nlo\n",
    )
    .await;
    check(
        strict(),
        "echo a > /tmp/a && cat /tmp/a; echo x > /dev/null; echo $?",
        "a\n0\n",
    )
    .await;
    check(strict(), "cat /proc/1/comm", "sandbox-init\n").await;
    let shown = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        std::fs::write(shown.path().join(name), name).unwrap();
    }
    let path = shown.path().display();
    let isolation = builder()
        .bind(shown.path(), Access::Write)
        .bind(shown.path().join("a"), Access::Read)
        .hide(shown.path().join("b"))
        .scratch("/opt")
        .hide("/usr/share")
        .build()
        .unwrap();
    let command = format!(
        "cd {path}; echo c > c; (echo x > a) 2>/dev/null; cat a c; (cat b) 2>/dev/null; \
         echo 1 > /opt/x; ls -A /opt /usr/share"
    );
    check(isolation, &command, "ac\n/opt:\nx\n\n/usr/share:\n").await;
    assert_eq!(std::fs::read(shown.path().join("b")).unwrap(), b"b");
    assert_eq!(std::fs::read(shown.path().join("c")).unwrap(), b"c\n");
}

#[tokio::test]
async fn ends_are_those_of_the_program() {
    let machine = Machine::new();
    if !can_have(&machine, &strict()).await {
        return;
    }
    let run = async |command: &str| machine.run(&strict(), command).await;
    let ended = |outcome: Outcome| outcome.termination;
    assert_eq!(ended(run("exit 3").await), Termination::Exited { code: 3 });
    assert!(matches!(
        ended(run("kill -9 $$").await),
        Termination::Signaled { signal: 9, .. }
    ));
    assert_eq!(
        ended(run("sleep 60 & exit 0").await),
        Termination::Exited { code: 0 }
    );
    let options = RunOptions {
        isolation: Some(strict()),
        timeout: Some(std::time::Duration::from_millis(300)),
        ..RunOptions::default()
    };
    let overdue = machine
        .engine
        .exec("trap '' TERM; while :; do :; done", options)
        .await;
    assert!(matches!(
        overdue.unwrap().termination,
        Termination::TimedOut { .. }
    ));
    let options = PtyOptions {
        isolation: Some(strict()),
        ..PtyOptions::default()
    };
    let pty = machine.engine.ptys().create("t", options).await.unwrap();
    assert_eq!(pty.level(), Level::Bwrap);
    let line = "stty -echo && (: > /usr/x) 2>/dev/null || exit 9\n";
    pty.input().write(line.into()).await.unwrap();
    assert_eq!(pty.ended().await, Termination::Exited { code: 9 });
}

/// The steps that it takes itself are named as at the other levels.
#[tokio::test]
async fn failures_are_named() {
    let machine = Machine::new();
    if !can_have(&machine, &strict()).await {
        return;
    }
    let options = RunOptions {
        isolation: Some(strict()),
        cwd: Some("/root/none".into()),
        ..RunOptions::default()
    };
    let error = machine.engine.exec("true", options).await.unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("WorkDir"), "{text}");
    let missing = builder()
        .bind("/no/such/path", Access::Read)
        .build()
        .unwrap();
    let error = machine.refuses(&missing).await.to_string();
    assert!(error.contains("/no/such/path"), "{error}");
}
