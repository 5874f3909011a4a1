//! The level without namespaces.

use sandbox_engine::code::{Language, Program};
use sandbox_engine::interpreter::{ContextOptions, Ending, ExecuteOptions};
use sandbox_engine::isolation::{Access, InvalidIsolation, Isolation, IsolationBuilder, Level};
use sandbox_engine::{
    CommandOptions, OutputMode, PtyOptions, Recorded, RunOptions, SessionOptions, Termination,
};

use super::{Machine, can_restrict};
use crate::guard::text;
use crate::interpreter::ended;

fn builder() -> IsolationBuilder {
    Isolation::builder().level(Level::Landlock)
}

fn restricted() -> Isolation {
    builder().build().unwrap()
}

#[test]
fn what_the_level_cannot_give_is_refused() {
    let impossible = |describe: IsolationBuilder, level: Level| {
        let refused = describe.build().unwrap_err();
        let is_it =
            matches!(refused, InvalidIsolation::Impossible { level: of, .. } if of == level);
        assert!(is_it, "{refused}");
    };
    impossible(builder().root_dir("/srv"), Level::Landlock);
    impossible(builder().bind_at("/a", "/b", Access::Read), Level::Landlock);
    impossible(builder().scratch("/a"), Level::Landlock);
    impossible(builder().hide("/proc/cpuinfo"), Level::Landlock);
    impossible(Isolation::builder().level(Level::None), Level::None);
}

#[tokio::test]
async fn files_are_allowed_one_by_one() {
    let machine = Machine::new();
    if !can_restrict(&machine, &restricted()).await {
        return;
    }
    let check = async |isolation: Isolation, command: &str, expect: &str| {
        let outcome = machine.run(&isolation, command).await;
        assert_eq!(text(&outcome), expect, "{command}");
        assert_eq!(outcome.level, Level::Landlock);
    };
    check(
        restricted(),
        "echo x > f; cat f; mkdir d; mv f d; ls d",
        "x\nf\n",
    )
    .await;
    check(
        restricted(),
        "cat < /dev/null; echo x > /dev/null; echo $?",
        "0\n",
    )
    .await;
    let outside = "for d in / /tmp /run /home /dev/shm /usr; do (echo > $d/x) 2>/dev/null && echo $d; done; ls /tmp 2>&1";
    let refused = "ls: cannot open directory '/tmp': Permission denied\n";
    check(restricted(), outside, refused).await;
    check(
        restricted(),
        "cat /proc/self/comm; head -c4 /etc/hostname >/dev/null; echo $?",
        "cat\n0\n",
    )
    .await;
    check(
        restricted(),
        "(: < /dev/tcp/127.0.0.1/1) 2>&1 | grep -q 'not permitted' && echo refused",
        "refused\n",
    )
    .await;
    // A part of a hidden directory, and a hidden part of another.
    let shown = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        std::fs::write(shown.path().join(name), name).unwrap();
    }
    let path = shown.path().display();
    let isolation = || {
        builder()
            .bind(shown.path(), Access::Write)
            .hide(shown.path().join("b"))
    };
    let command = format!(
        "cd {path}; cat a; echo; echo c >> a; cat a; (cat b || rm b) 2>/dev/null; ls {path}/b"
    );
    check(
        isolation().build().unwrap(),
        &command,
        &format!("a\nac\n{path}/b\n"),
    )
    .await;
    assert_eq!(std::fs::read(shown.path().join("b")).unwrap(), b"b");
}

#[tokio::test]
async fn all_kinds_have_the_level() {
    let machine = Machine::new();
    if !can_restrict(&machine, &restricted()).await {
        return;
    }
    let outside = "/usr/sandbox-landlock-test";
    for (language, code) in [
        (
            Language::Python,
            format!(
                "open('f', 'w').write('x')\ntry: open('{outside}', 'w')\nexcept PermissionError: print('refused')"
            ),
        ),
        (
            Language::JavaScript,
            format!(
                "try {{ require('fs').writeFileSync('{outside}', 'x') }} catch (error) {{ console.log(error.code == 'EACCES' ? 'refused' : error) }}"
            ),
        ),
        (
            Language::TypeScript,
            "const text: string = 'refused'; console.log(text)".to_owned(),
        ),
        (
            Language::Bash,
            format!("(: > {outside}) 2>/dev/null || echo refused"),
        ),
    ] {
        let program = Program {
            language,
            code,
            argv: Vec::new(),
        };
        let options = RunOptions {
            isolation: Some(restricted()),
            ..RunOptions::default()
        };
        let outcome = machine.engine.run_code(program, options).await.unwrap();
        assert_eq!(text(&outcome), "refused\n", "{language:?}");
        assert_eq!(outcome.level, Level::Landlock);
    }
    let options = SessionOptions {
        isolation: Some(restricted()),
        ..SessionOptions::default()
    };
    let session = machine
        .engine
        .sessions()
        .create("s", options)
        .await
        .unwrap();
    for (command, expect) in [
        (
            "x=1; cd /usr; (: > x) 2>/dev/null || echo refused",
            "refused\n",
        ),
        ("echo $x; pwd; sleep 60 &", "1\n/usr\n"),
        (
            &*format!("echo long; : {}", "x".repeat(256 * 1024)),
            "long\n",
        ),
    ] {
        let command = session.execute(command, CommandOptions::default()).unwrap();
        assert_eq!(command.ended().await, Termination::Exited { code: 0 });
        let recorded = Recorded::of(&command, OutputMode::Merged).await;
        assert_eq!(text(&recorded.collect().await), expect);
    }
    assert!(machine.engine.sessions().delete("s").await);
    let options = PtyOptions {
        isolation: Some(restricted()),
        ..PtyOptions::default()
    };
    let pty = machine.engine.ptys().create("t", options).await.unwrap();
    assert_eq!(pty.level(), Level::Landlock);
    let line = "echo > /dev/tty && (: > /usr/x) 2>/dev/null || exit 9\n";
    pty.input().write(line.into()).await.unwrap();
    assert_eq!(pty.ended().await, Termination::Exited { code: 9 });
    for (language, code, outside) in [
        (
            Language::Python,
            "print(1)",
            format!("open('{outside}', 'w')"),
        ),
        (
            Language::JavaScript,
            "console.log(1)",
            format!("require('fs').writeFileSync('{outside}', 'x')"),
        ),
    ] {
        let options = ContextOptions {
            isolation: Some(restricted()),
            ..ContextOptions::default()
        };
        let context = machine
            .engine
            .contexts()
            .create(language, options)
            .await
            .unwrap();
        assert_eq!(context.level(), Level::Landlock);
        let run = async |code: &str| {
            ended(&context.execute(code, ExecuteOptions::default()).unwrap()).await
        };
        let (output, end) = run(code).await;
        assert_eq!((output.as_str(), &end.ending), ("1\n", &Ending::Completed));
        assert!(run(&outside).await.1.failure.is_some(), "{language:?}");
    }
}
