//! What a user's commands may do to their shell.

use sandbox_engine::{CommandOptions, CommandState, SessionExecError, Termination};

use super::{Did, Fixture, UNTIL_GO, exited};

async fn state_stays(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let text =
        "mkdir d; cd d; X=1; export Y=2; f() { echo \"f:$1\"; }; alias a='echo al'; umask 027";
    assert_eq!(f.ok(text).await, "");
    let expect = format!("{} 1 2 f:3", f.path("d").display());
    let got = f.ok("echo \"$(pwd) $X $(sh -c 'echo $Y') $(f 3)\"").await;
    assert_eq!(got.trim_end(), expect, "{shell}");
    assert!(f.ok("umask").await.contains("27"), "{shell}");
    assert!(f.ok("alias").await.contains("echo al"), "{shell}");
    f.end().await;
}
in_every_shell!(state_stays);

async fn statuses_and_channels_are_reported(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let did = f.run("echo out; echo err >&2; (exit 3)").await;
    assert_eq!(
        (did.stdout.as_str(), did.stderr.as_str()),
        ("out\n", "err\n"),
        "{shell}"
    );
    assert_eq!(did.termination, exited(3), "{shell}");
    assert_eq!(f.ok("echo $?").await, "3\n", "{shell}");
    assert_eq!(f.run("false").await.termination, exited(1), "{shell}");
    assert_eq!(f.ok("echo $?").await, "1\n", "{shell}");
    assert_eq!(f.ok("echo $?").await, "0\n", "{shell}");
    assert_eq!(f.run("nope-x").await.termination, exited(127), "{shell}");
    assert_eq!(
        f.run("/etc/passwd").await.termination,
        exited(126),
        "{shell}"
    );
    assert_eq!(
        f.run("sh -c 'kill -9 $$'").await.termination,
        exited(137),
        "{shell}"
    );
    assert_eq!(
        f.run("(exit 255)").await.termination,
        exited(255),
        "{shell}"
    );
    f.end().await;
}
in_every_shell!(statuses_and_channels_are_reported);

/// What ends the shell ends its own command, with the true code, and later commands are refused with it.
async fn what_ends_the_shell_ends_its_command(shell: &'static str) {
    let signaled = |signal| Termination::Signaled {
        signal,
        core_dumped: false,
    };
    let table: &[(&str, Termination)] = &[
        ("echo a; exit 7", exited(7)),
        ("echo a; exec true", exited(0)),
        ("echo a; exec sh -c 'exit 4'", exited(4)),
        ("echo 'exit 9' >x; echo a; . ./x", exited(9)),
        ("echo a; kill -9 $$", signaled(9)),
        ("echo a; kill -TERM $$", signaled(15)),
        ("echo a; kill 0", signaled(15)),
        ("echo a; set -e; false; echo b", exited(1)),
        ("echo a; set -eu; (exit 5); echo b", exited(5)),
    ];
    for (text, termination) in table {
        let f = Fixture::new(shell).await;
        f.ok("trap 'touch trapped' EXIT").await;
        let did = f.run(text).await;
        assert_eq!(did.stdout, "a\n", "{shell}: {text}");
        assert_eq!(&did.termination, termination, "{shell}: {text}");
        assert!(f.session.ended().is_some(), "{shell}: {text}");
        let next = f.session.execute("echo next", CommandOptions::default());
        assert!(
            matches!(next, Err(SessionExecError::Ended { .. })),
            "{shell}: {text}: {next:?}"
        );
        if matches!(termination, Termination::Exited { .. }) && !text.contains("exec") {
            assert!(f.path("trapped").exists(), "{shell}: {text}: no EXIT trap");
        }
        f.end().await;
    }
}
in_every_shell!(what_ends_the_shell_ends_its_command);

async fn a_shell_that_stops_itself_is_ended(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let did = f.run("echo a; kill -STOP $$; echo b").await;
    assert_eq!(did.stdout, "a\n", "{shell}");
    let killed = Termination::Signaled {
        signal: 9,
        core_dumped: false,
    };
    assert_eq!(did.termination, killed, "{shell}");
    assert!(f.session.ended().is_some(), "{shell}");
    f.end().await;

    let f = Fixture::new(shell).await;
    let text = "(while read -r a b state d </proc/$$/stat && [ $state != T ]; do sleep 0.01; done; kill -CONT $$) & \
                kill -STOP $$; echo on";
    assert_eq!(f.ok(text).await, "on\n", "{shell}: somebody let it go on");
    f.end().await;
}
in_every_shell!(a_shell_that_stops_itself_is_ended);

async fn an_unset_name_under_set_u_ends_the_shell_as_it_does_in_a_script(shell: &'static str) {
    for text in [
        "set -u; echo a; echo $NOPE_X; echo b",
        "echo a; : ${NOPE_X:?gone}; echo b",
    ] {
        let f = Fixture::new(shell).await;
        let did = f.run(text).await;
        assert_eq!(did.stdout, "a\n", "{shell}: {text}");
        assert!(did.stderr.contains("NOPE_X"), "{shell}: {did:?}");
        assert!(
            matches!(did.termination, Termination::Exited { code: 1 | 2 | 127 }),
            "{shell}: {text}: {did:?}"
        );
        f.end().await;
    }
}
in_every_shell!(an_unset_name_under_set_u_ends_the_shell_as_it_does_in_a_script);

#[tokio::test]
async fn commands_queued_after_the_end_never_ran() {
    let f = Fixture::new("/bin/bash").await;
    let first = f
        .session
        .execute(&format!("{UNTIL_GO}; exit 3"), CommandOptions::default())
        .unwrap();
    let second = f
        .session
        .execute("echo never", CommandOptions::default())
        .unwrap();
    assert_eq!(second.state(), CommandState::Queued);
    f.go();
    assert_eq!(first.ended().await, exited(3));
    let Termination::NotStarted { reason } = second.ended().await else {
        panic!("{:?}", second.state());
    };
    assert!(reason.contains("ended"), "{reason}");
    f.end().await;
}

/// A text that cannot be parsed is a status and a message, and the session goes on.
async fn syntax_errors_end_nothing(shell: &'static str) {
    let texts = [
        "echo \"unbalanced",
        "echo 'unbalanced",
        "if true; done",
        "echo a; )",
        "fi",
        "echo $(echo",
        "for",
        "case x in",
        "{ echo a",
        "( echo a",
    ];
    let f = Fixture::new(shell).await;
    for text in texts {
        let did = f.run(text).await;
        let code = if shell.contains("zsh") { 1 } else { 2 };
        assert_eq!(did.termination, exited(code), "{shell}: {text}: {did:?}");
        assert!(!did.stderr.is_empty(), "{shell}: {text}: {did:?}");
        assert_eq!(f.ok("echo ok").await, "ok\n", "{shell}: after {text}");
    }
    f.end().await;
}
in_every_shell!(syntax_errors_end_nothing);

/// Texts that other drivers trip over.
async fn texts_of_every_form_run(shell: &'static str) {
    let table: &[(&str, &str)] = &[
        ("cat <<E\na $((1+1))\nE", "a 2\n"),
        ("cat <<'E'\na $x 'q' \"d\"\nE\n", "a $x 'q' \"d\"\n"),
        ("cat <<A; cat <<B\na\nA\nb\nB", "a\nb\n"),
        ("cat <<E\n$(cat <<F\ninner\nF\n)\nE", "inner\n"),
        ("echo a \\\n  b", "a b\n"),
        ("echo a # comment", "a\n"),
        ("# only a comment", ""),
        ("\n\n  echo a\n\n", "a\n"),
        ("echo 'it'\"'\"'s' \"a'b\"", "it's a'b\n"),
        (
            "printf '%s\\n' '$(touch x)' '`id`' '*'",
            "$(touch x)\n`id`\n*\n",
        ),
        ("echo a; echo b & wait", "a\nb\n"),
        ("for i in 1 2 3; do echo $i; done", "1\n2\n3\n"),
        ("echo h\u{e9}llo \u{1f600}", "h\u{e9}llo \u{1f600}\n"),
        ("-x 2>/dev/null; echo a", "a\n"),
        ("printf abc", "abc"),
        ("a=1\0; echo $a", "1\n"),
    ];
    let f = Fixture::new(shell).await;
    for (text, stdout) in table {
        let did = f.run(text).await;
        assert_eq!(
            (&*did.stdout, &*did.stderr),
            (*stdout, ""),
            "{shell}: {text}"
        );
    }
    let did = f.run("echo a \\").await;
    assert!(
        ["a \\\n", "a \n"].contains(&&*did.stdout),
        "{shell}: {did:?}"
    );
    let did = f.run("cat <<E\nunterminated").await;
    assert_eq!(did.stdout, "unterminated\n", "{shell}");
    assert_eq!(f.ok("echo ok").await, "ok\n", "{shell}");
    f.end().await;
}
in_every_shell!(texts_of_every_form_run);

async fn long_texts_run(shell: &'static str) {
    let f = Fixture::new(shell).await;
    for length in [4095, 4096, 4097, 70_000, 8 * 1024 * 1024] {
        let text = format!(": {}\necho end\nX={length}", "x".repeat(length));
        assert_eq!(f.ok(&text).await, "end\n", "{shell}: {length}");
        assert_eq!(f.ok("echo $X").await, format!("{length}\n"), "{shell}");
    }
    let unbalanced = format!("{}\necho \"", ": x\n".repeat(3000));
    assert_ne!(f.run(&unbalanced).await.termination, exited(0), "{shell}");
    assert_eq!(f.ok("echo ok").await, "ok\n", "{shell}");
    f.end().await;
}
in_every_shell!(long_texts_run);

async fn a_shell_that_stops_executing_ends(shell: &'static str) {
    let f = Fixture::new(shell).await;
    // Looks like it and is not: the session goes on.
    assert_eq!(f.ok("set +n; echo a").await, "a\n", "{shell}");
    assert_eq!(f.ok("echo 'set -n'").await, "set -n\n", "{shell}");
    assert_eq!(f.ok("echo b").await, "b\n", "{shell}");
    let did = f.run("echo a; set -n; echo b").await;
    if did.stdout == "a\n" {
        assert_eq!(did.termination, exited(0), "{shell}: {did:?}");
        assert!(f.session.ended().is_some(), "{shell}");
    } else {
        // A shell may ignore it outside its own reading.
        assert_eq!(did.stdout, "a\nb\n", "{shell}");
    }
    f.end().await;
}
in_every_shell!(a_shell_that_stops_executing_ends);

/// Nothing of ours is to be seen, whatever the user names things.
async fn the_wrapper_is_invisible(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let before = f.ok("set").await;
    let interesting = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.contains('='))
            .map(|line| line.split('=').next().unwrap().to_owned())
            .filter(|name| {
                ![
                    "_",
                    "LINENO",
                    "RANDOM",
                    "SECONDS",
                    "EPOCHREALTIME",
                    "EPOCHSECONDS",
                    "SRANDOM",
                    "?",
                    "BASH_COMMAND",
                    "PIPESTATUS",
                    "status",
                    "pipestatus",
                    "TTYIDLE",
                ]
                .contains(&name.as_str())
            })
            .collect()
    };
    f.ok("true").await;
    let after = f.ok("set").await;
    assert_eq!(interesting(&before), interesting(&after), "{shell}");
    assert!(!before.contains("sandbox-session"), "{shell}: {before}");
    assert_eq!(f.ok("jobs; trap").await, "", "{shell}");
    // Only 0, 1 and 2, in what the shell starts.
    assert_eq!(
        f.ok("ls /proc/self/fd | tr '\\n' ' '").await,
        "0 1 2 3 ",
        "{shell}"
    );
    let name = f.ok("echo $0").await;
    let expect = if shell.contains("busybox") {
        "ash"
    } else {
        shell.rsplit('/').next().unwrap()
    };
    assert_eq!(name.trim_end(), expect, "{shell}");
    f.ok("for v in log dir sp ep ip r1 r2 ip_pid _ec n; do eval \"$v=kept\"; done")
        .await;
    f.ok("readonly dir log").await;
    assert_eq!(
        f.ok("echo $log $dir $sp $ep $ip $r1 $r2 $ip_pid $_ec $n")
            .await,
        "kept kept kept kept kept kept kept kept kept kept\n"
    );
    f.end().await;
}
in_every_shell!(the_wrapper_is_invisible);

async fn functions_and_aliases_named_like_builtins_are_the_users(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let text = "for f in cleanup printf read wait kill rm mkfifo echo trap cat test; do \
                eval \"$f() { command echo called-$f; }\"; done 2>/dev/null";
    f.run(text).await;
    assert_eq!(
        f.run("cleanup; printf x").await.stdout,
        "called-cleanup\ncalled-printf\n",
        "{shell}"
    );
    assert_eq!(
        f.run("kill 1; rm x").await.stdout,
        "called-kill\ncalled-rm\n",
        "{shell}"
    );
    f.end().await;

    let f = Fixture::new(shell).await;
    f.run("alias printf='echo aliased' command='echo no' builtin='echo no' eval='echo no' exec='echo no'").await;
    assert_eq!(f.ok("\\echo a").await, "a\n", "{shell}");
    assert_eq!(f.ok("\\echo b").await, "b\n", "{shell}");
    f.end().await;
}
in_every_shell!(functions_and_aliases_named_like_builtins_are_the_users);

async fn traps_are_the_users(shell: &'static str) {
    let f = Fixture::new(shell).await;
    f.ok("trap 'echo usr' USR1").await;
    assert_eq!(f.ok("kill -USR1 $$; :").await, "usr\n", "{shell}");
    assert_eq!(f.ok("echo a").await, "a\n", "{shell}");
    f.end().await;
}
in_every_shell!(traps_are_the_users);

#[tokio::test]
async fn traps_of_bash_alone_are_the_users() {
    let f = Fixture::new("/bin/bash").await;
    f.ok("trap 'echo err:$?' ERR; trap 'echo ret' RETURN").await;
    assert_eq!(f.run("false").await.stdout, "err:1\n");
    assert_eq!(f.ok("echo $?").await, "1\n");
    assert_eq!(f.run("(exit 9)").await.stdout, "err:9\n");
    assert_eq!(f.ok("echo $?").await, "9\n");
    f.end().await;
}

async fn traces_show_only_what_the_user_wrote(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let did = f.run("set -x").await;
    assert_eq!(did.stderr, "", "{shell}");
    for round in 0..2 {
        let did = f.run("echo a").await;
        assert_eq!(did.stdout, "a\n", "{shell}");
        let lines: Vec<_> = did.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "{shell} {round}: {did:?}");
        assert!(lines[0].ends_with("echo a"), "{shell}: {did:?}");
    }
    let did = f.run("set +x").await;
    assert_eq!(did.stderr.lines().count(), 1, "{shell}: {did:?}");
    assert_eq!(f.ok("echo b").await, "b\n", "{shell}");
    f.end().await;
}
in_every_shell!(traces_show_only_what_the_user_wrote);

async fn options_stay_and_break_nothing(shell: &'static str) {
    for option in ["-e", "-f", "-C", "-a", "-u", "-eu"] {
        let f = Fixture::new(shell).await;
        f.ok(&format!("set {option}")).await;
        assert_eq!(f.ok("echo a").await, "a\n", "{shell} {option}");
        assert_eq!(f.ok("echo b; true").await, "b\n", "{shell} {option}");
        f.end().await;
    }
}
in_every_shell!(options_stay_and_break_nothing);

#[tokio::test]
async fn options_of_bash_alone_break_nothing() {
    for option in [
        "set -k",
        "set -o posix",
        "shopt -s extdebug",
        "set -T",
        "set -E",
        "set -m",
        "set -h",
        "set -B",
        "set -o pipefail",
        "shopt -s lastpipe",
        "shopt -s expand_aliases",
    ] {
        let f = Fixture::new("/bin/bash").await;
        f.ok(option).await;
        assert_eq!(f.ok("echo a").await, "a\n", "{option}");
        assert_eq!(
            f.run("false").await,
            Did {
                stdout: String::new(),
                stderr: String::new(),
                termination: exited(1)
            },
            "{option}"
        );
        assert_eq!(f.ok("echo $?").await, "1\n", "{option}");
        f.end().await;
    }
}

async fn hostile_surroundings_end_nothing(shell: &'static str) {
    for text in [
        "PATH=/none",
        "PATH=",
        "unset HOME",
        "IFS=0123456789x",
        "umask 777",
        "mkdir d; cd d; rmdir ../d",
        "ulimit -f 0",
        "cd /; X=1",
        "unset PATH IFS PS4",
        "TMPDIR=/none",
        "LC_ALL=nope",
    ] {
        let f = Fixture::new(shell).await;
        f.run(text).await;
        for _ in 0..2 {
            let did = f.run("echo a; (exit 3)").await;
            assert_eq!(
                (&*did.stdout, &did.termination),
                ("a\n", &exited(3)),
                "{shell}: {text}: {did:?}"
            );
        }
        f.end().await;
    }
}
in_every_shell!(hostile_surroundings_end_nothing);

async fn a_session_outlives_its_directory_of_pipes(shell: &'static str) {
    let f = Fixture::new(shell).await;
    f.run("rm -rf /tmp/sandbox-session-nope; echo a").await;
    assert_eq!(f.ok("echo a").await, "a\n", "{shell}");
    f.end().await;
}
in_every_shell!(a_session_outlives_its_directory_of_pipes);

async fn a_shell_without_room_for_descriptors_says_so(shell: &'static str) {
    let f = Fixture::new(shell).await;
    f.run("ulimit -n 3").await;
    let command = f.session.execute("echo a", CommandOptions::default());
    if let Ok(command) = command {
        let did = f.see(&command, "echo a").await;
        assert!(
            did.stdout == "a\n" || f.session.ended().is_some(),
            "{shell}: {did:?}"
        );
    }
    f.end().await;
}
in_every_shell!(a_shell_without_room_for_descriptors_says_so);

async fn redirections_by_exec_last(shell: &'static str) {
    let f = Fixture::new(shell).await;
    f.ok("exec 3>three; echo a >&3").await;
    f.ok("echo b >&3; exec 3>&-").await;
    assert_eq!(
        std::fs::read_to_string(f.path("three")).unwrap(),
        "a\nb\n",
        "{shell}"
    );
    let did = f.run("echo before; exec 2>&1; echo err >&2").await;
    assert_eq!(
        (&*did.stdout, &*did.stderr),
        ("before\nerr\n", ""),
        "{shell}"
    );
    let did = f.run("echo err >&2").await;
    assert_eq!((&*did.stdout, &*did.stderr), ("err\n", ""), "{shell}");
    f.ok("exec 4>&1 >out; echo in-file").await;
    assert_eq!(f.ok("echo still").await, "", "{shell}");
    assert_eq!(
        std::fs::read_to_string(f.path("out")).unwrap(),
        "in-file\nstill\n",
        "{shell}"
    );
    f.run("exec >&4").await;
    assert_eq!(f.ok("echo back").await, "back\n", "{shell}");
    f.run("exec <&-").await;
    assert_eq!(f.ok("echo x").await, "x\n", "{shell}");
    f.end().await;
}
in_every_shell!(redirections_by_exec_last);

async fn reading_finds_the_end_at_once(shell: &'static str) {
    let f = Fixture::new(shell).await;
    assert_eq!(f.ok("cat; echo a").await, "a\n", "{shell}");
    assert_eq!(f.run("read x").await.termination, exited(1), "{shell}");
    assert_ne!(
        f.run("read x </dev/tty").await.termination,
        exited(0),
        "{shell}"
    );
    assert_eq!(f.ok("echo b").await, "b\n", "{shell}");
    f.end().await;
}
in_every_shell!(reading_finds_the_end_at_once);
