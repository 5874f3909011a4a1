//! Where commands go wrong elsewhere, in every shell.

use std::ffi::OsStr;
use std::io;
use std::time::{Duration, Instant};

use sandbox_engine::{
    Engine, ExecError, Outcome, OutputMode, RunError, RunOptions, SpawnError, Termination,
};

use crate::guard::{PATIENCE, engine_with, text, within_a_limit};

async fn run(shell: &str, command: &str) -> Outcome {
    let options = RunOptions {
        output: OutputMode::Split,
        ..RunOptions::default()
    };
    let run = engine_with(shell);
    let run = run.exec(command, options);
    tokio::time::timeout(Duration::from_secs(20), run)
        .await
        .unwrap_or_else(|_| panic!("{shell}: hangs: {command}"))
        .unwrap()
}

fn channels(outcome: &Outcome) -> [String; 2] {
    let channels = outcome.output.split.as_ref().unwrap();
    [0, 1].map(|n| String::from_utf8_lossy(&channels[n].to_vec()).into_owned())
}

/// X1, X2: what a command reads is empty, and never the rest of its own text.
async fn a_command_never_reads_its_own_text(shell: &'static str) {
    for (command, expect) in [
        ("cat\necho hi", "hi\n"),
        ("read x\necho a\necho b", "a\nb\n"),
        ("read x || echo none", "none\n"),
        ("cat <<X\na $((1+1))\nX\necho b", "a 2\nb\n"),
        ("while read x; do echo $x; done\necho end", "end\n"),
        ("$H length; echo b", "0\nb\n"),
    ] {
        let did = run(shell, command).await;
        assert_eq!(channels(&did), [expect, ""], "{shell}: {command}");
        assert_eq!(
            did.termination,
            Termination::Exited { code: 0 },
            "{shell}: {command}"
        );
    }
}
in_every_shell!(a_command_never_reads_its_own_text);

/// X3: every end has its code.
async fn every_end_has_its_code(shell: &'static str) {
    for (command, code) in [
        ("exit 126", 126),
        ("exit 127", 127),
        ("exit 128", 128),
        ("exit 255", 255),
        ("sh -c 'exit 256'", 0),
        ("no-such-program-x", 127),
        ("/etc/passwd", 126),
        ("/etc", 126),
        ("set -e; false; echo never", 1),
        ("(exit 3); true", 0),
        ("false | true", 0),
        ("sh -c 'kill -TERM $$'; exit $?", 143),
        ("sh -c 'kill -KILL $$'; exit $?", 137),
    ] {
        let did = run(shell, command).await;
        assert_eq!(
            did.termination,
            Termination::Exited { code },
            "{shell}: {command}"
        );
    }
    let did = run(shell, "kill -9 $$; echo never").await;
    let killed = Termination::Signaled {
        signal: 9,
        core_dumped: false,
    };
    assert_eq!(
        (channels(&did), did.termination),
        ([String::new(), String::new()], killed)
    );
    // Too early an end of the text is an error of the shell's, which says so.
    for broken in [
        "echo 'a",
        "if true",
        "(",
        ")",
        "fi",
        "cat <<X >/dev/null && fi",
    ] {
        let did = run(shell, broken).await;
        assert!(
            did.termination
                .exit_code()
                .is_some_and(|code| (1..=2).contains(&code)),
            "{shell}: {broken}: {did:?}"
        );
        assert_ne!(channels(&did)[1], "", "{shell}: {broken}");
    }
}
in_every_shell!(every_end_has_its_code);

/// X4: a directory that cannot be entered is distinct from a program that cannot be executed.
async fn directories_that_cannot_be_entered_are_named(shell: &'static str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let looped = directory.path().join("loop");
    std::os::unix::fs::symlink(&looped, &looped).unwrap();
    for bad in [
        directory.path().join("none"),
        file.clone(),
        file.join("x"),
        looped.clone(),
    ] {
        let options = RunOptions {
            cwd: Some(bad.clone()),
            ..RunOptions::default()
        };
        match engine_with(shell).exec("pwd", options).await {
            Err(ExecError::Run(RunError::Spawn(SpawnError::WorkDir { path, .. }))) => {
                assert_eq!(path, bad, "{shell}");
            }
            other => panic!("{shell}: {}: {other:?}", bad.display()),
        }
    }
}
in_every_shell!(directories_that_cannot_be_entered_are_named);

/// X4: so is a shell that is not there.
#[tokio::test]
async fn a_shell_that_does_not_exist_is_named() {
    let none = Engine::builder().shell("/no/shell").build().unwrap();
    let result = none.exec("true", RunOptions::default()).await;
    let Err(ExecError::Run(RunError::Spawn(SpawnError::Program { path, source }))) = result else {
        panic!("{result:?}");
    };
    assert_eq!(
        (path.as_os_str(), source.kind()),
        (OsStr::new("/no/shell"), io::ErrorKind::NotFound)
    );
}

/// X5: variables come as they were given.
async fn variables_come_as_they_are(shell: &'static str) {
    let long = "v".repeat(128 * 1024 - 16);
    let values = ["", "a\nb\n", "=", "a=b", "'\"$x`y`\\", "\u{1f600}", &long];
    for value in values {
        let options = RunOptions {
            env: vec![("V".into(), value.into()), ("HOME".into(), "/h".into())],
            ..RunOptions::default()
        };
        let did = engine_with(shell)
            .exec("printf '%s|%s' \"$V\" \"$HOME\"", options)
            .await
            .unwrap();
        assert_eq!(text(&did), format!("{value}|/h"), "{shell}");
    }
    let path = RunOptions {
        env: vec![
            ("PATH".into(), "/none".into()),
            ("LD_PRELOAD".into(), "/none.so".into()),
        ],
        ..RunOptions::default()
    };
    let did = engine_with(shell)
        .exec("ls; echo \"$PATH\"", path)
        .await
        .unwrap();
    assert!(text(&did).ends_with("/none\n"), "{shell}: {}", text(&did));
    for bad in ["", "a=b", "a b", "1a", "a-b", "\u{e4}"] {
        let options = RunOptions {
            env: vec![(bad.into(), "x".into())],
            ..RunOptions::default()
        };
        let result = engine_with(shell).exec("true", options).await;
        assert!(
            matches!(result, Err(ExecError::Variable(_))),
            "{shell}: {bad:?}: {result:?}"
        );
    }
}
in_every_shell!(variables_come_as_they_are);

/// X6, X7: a limit of nothing ends at once, a huge one never, and what was written before the end is retained.
async fn limits_of_every_size(shell: &'static str) {
    let within = |limit| RunOptions {
        timeout: Some(limit),
        ..RunOptions::default()
    };
    let engine = engine_with(shell);
    let started = Instant::now();
    let did = engine
        .exec("sleep 1000", within(Duration::ZERO))
        .await
        .unwrap();
    let limit = Duration::ZERO;
    assert_eq!(did.termination, Termination::TimedOut { limit }, "{shell}");
    within_a_limit(async |limit| {
        let did = engine
            .exec("printf part; sleep 1000; echo never", within(limit))
            .await
            .unwrap();
        assert_eq!(did.termination, Termination::TimedOut { limit }, "{shell}");
        (text(&did) == "part").then_some(())
    })
    .await;
    assert!(started.elapsed() < 2 * PATIENCE, "{shell}");
    let did = engine
        .exec("echo done", within(Duration::MAX))
        .await
        .unwrap();
    assert_eq!(text(&did), "done\n", "{shell}");
}
in_every_shell!(limits_of_every_size);

/// X11: closing its own descriptors hurts a command alone.
async fn closed_descriptors(shell: &'static str) {
    for (command, code, expect) in [
        ("exec <&-; echo a", 0, "a\n"),
        ("echo a; exec >&-; exit 3", 3, "a\n"),
        ("echo a; exec >&- 2>&- <&-; sleep 0.05; exit 4", 4, "a\n"),
        ("exec 2>&-; echo a", 0, "a\n"),
    ] {
        let did = run(shell, command).await;
        assert_eq!(channels(&did), [expect, ""], "{shell}: {command}");
        assert_eq!(
            did.termination,
            Termination::Exited { code },
            "{shell}: {command}"
        );
    }
}
in_every_shell!(closed_descriptors);

/// X12: signals, group, priority and descriptors, whatever the engine's own process has.
#[test]
#[expect(clippy::disallowed_methods, reason = "a process of the test's own")]
fn a_command_begins_clean() {
    const INSIDE: &str = "SANDBOX_TEST_PROTECTED";
    if std::env::var_os(INSIDE).is_none() {
        let name = "edges::a_command_begins_clean";
        // Protected as a daemon may be, if that is allowed, and with descriptors of its own.
        let protected =
            "(echo -900 >/proc/$$/oom_score_adj) 2>/dev/null; exec 7</dev/null nice -n -5 \"$@\"";
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", protected, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args([name, "--exact"])
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}"
        );
        return;
    }
    let own = || std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let before = own();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for shell in ["/bin/bash", "/bin/dash", "/bin/zsh", "/bin/busybox"] {
            let did = run(shell, "$H start; :").await;
            let [stdout, _] = channels(&did);
            assert_eq!(
                stdout, "SigBlk 0000000000000000\nleads true\nnice 0\noom 0\ndescriptors 3\n",
                "{shell}"
            );
            let did = run(shell, "exec grep SigIgn /proc/self/status").await;
            assert_eq!(channels(&did)[0], "SigIgn:\t0000000000000000\n", "{shell}");
            let did = run(shell, "$H flood | head -1; echo end").await;
            assert_eq!(channels(&did)[0], "y\nend\n", "{shell}");
        }
        assert_eq!(own(), before, "this process keeps its own");
    });
}

/// X14: texts that look like something else.
async fn texts_that_look_like_options(shell: &'static str) {
    for command in ["-x", "-c 'echo hi'", "--help", "--no"] {
        let did = run(shell, command).await;
        assert_eq!(
            did.termination,
            Termination::Exited { code: 127 },
            "{shell}: {command}: {did:?}"
        );
    }
    let did = run(shell, "echo a\0b").await;
    assert_eq!(channels(&did), ["ab\n", ""], "{shell}");
    let did = run(shell, "\u{feff}echo a").await;
    assert_eq!(
        did.termination,
        Termination::Exited { code: 127 },
        "{shell}"
    );
    for blank in ["", " ", "\n\t\r\n"] {
        let result = engine_with(shell).exec(blank, RunOptions::default()).await;
        assert!(
            matches!(result, Err(ExecError::Blank)),
            "{shell}: {blank:?}"
        );
    }
    let did = run(shell, "$H words '' 'a b' -n \"\\$x\" '*'").await;
    assert_eq!(channels(&did)[0], "<>\n<a b>\n<-n>\n<$x>\n<*>\n", "{shell}");
}
in_every_shell!(texts_that_look_like_options);
