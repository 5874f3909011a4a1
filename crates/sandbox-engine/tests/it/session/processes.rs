//! What a session's commands start, read and leave running.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandbox_engine::record::Piece;
use sandbox_engine::{
    CommandOptions, CommandState, CreateSessionError, InputError, InputMode, SessionExecError,
    SessionOptions, Signal, Termination, UserError,
};

use super::{Fixture, UNTIL_GO, exited, output};
use crate::guard::{PATIENCE, eventually, eventually_async, pid_of, unique_sleep, within_a_limit};

fn with_input(input: InputMode) -> CommandOptions {
    CommandOptions {
        input,
        ..CommandOptions::default()
    }
}

fn within(limit: Duration) -> CommandOptions {
    CommandOptions {
        timeout: Some(limit),
        ..CommandOptions::default()
    }
}

async fn background_children_delay_nothing(shell: &'static str) {
    let f = Fixture::new(shell).await;
    for form in [
        "sleep N & echo hi",
        "(sleep N &); echo hi",
        "setsid sleep N & echo hi",
        "nohup sleep N >/dev/null 2>&1 & echo hi",
        "(setsid sleep N &) ; echo hi",
    ] {
        let sleep = unique_sleep();
        let began = Instant::now();
        let did = f.run(&form.replace('N', &sleep)).await;
        assert_eq!(did.stdout, "hi\n", "{shell}: {form}");
        assert_eq!(did.termination, exited(0), "{shell}: {form}");
        assert!(began.elapsed() < PATIENCE, "{shell}: {form}");
        eventually("the child", || pid_of(&sleep).is_some()).await;
    }
    let sleeps = f.ok("ps -eo args | grep -c '^sleep'").await;
    assert_ne!(sleeps, "0\n");
    f.end().await;
}
in_every_shell!(background_children_delay_nothing);

async fn deleting_ends_everything_wherever_it_went(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let sleeps: Vec<_> = (0..5).map(|_| unique_sleep()).collect();
    let [a, b, c, d, e] = &sleeps[..] else {
        unreachable!()
    };
    let text = format!(
        "sleep {a} & (sleep {b} &); setsid sleep {c} & (setsid sh -c 'sleep {d} & sleep 0.05' &); \
         (trap '' TERM; sleep {e}) & :"
    );
    f.run(&text).await;
    for sleep in &sleeps {
        eventually("the child", || pid_of(sleep).is_some()).await;
    }
    let running = f
        .session
        .execute("sleep 77.7", CommandOptions::default())
        .unwrap();
    eventually("it runs", || running.state() == CommandState::Running).await;
    assert!(f.engine.sessions().delete("s").await);
    for sleep in &sleeps {
        assert!(pid_of(sleep).is_none(), "{shell}: {sleep} is left");
    }
    assert!(pid_of("77.7").is_none(), "{shell}");
    assert!(matches!(running.state(), CommandState::Ended(_)), "{shell}");
    assert!(!f.engine.sessions().delete("s").await, "{shell}");
    let late = f.session.execute("echo", CommandOptions::default());
    assert!(
        matches!(
            late,
            Err(SessionExecError::Ended { .. } | SessionExecError::Blank)
        ),
        "{late:?}"
    );
    f.end().await;
}
in_every_shell!(deleting_ends_everything_wherever_it_went);

#[tokio::test]
async fn children_of_a_shell_that_has_ended_end_with_the_session() {
    let f = Fixture::new("/bin/bash").await;
    let sleep = unique_sleep();
    f.run(&format!("setsid sleep {sleep} & exit 0")).await;
    eventually("the child", || pid_of(&sleep).is_some()).await;
    f.engine.sessions().delete("s").await;
    assert!(pid_of(&sleep).is_none());
    f.end().await;
}

async fn later_output_goes_to_its_own_commands_record(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let text = &*format!("({UNTIL_GO}; echo late; echo lerr >&2) & echo now");
    let first = f.session.execute(text, CommandOptions::default()).unwrap();
    assert_eq!(f.see(&first, text).await.stdout, "now\n", "{shell}");
    let second = f
        .session
        .execute(": >go; wait; echo second", CommandOptions::default())
        .unwrap();
    assert_eq!(f.see(&second, "second").await.stdout, "second\n", "{shell}");
    eventually_async("the rest", async || {
        output(&first).await == ["now\nlate\n", "lerr\n"]
    })
    .await;
    assert_eq!(first.record().completed_at(), Some(4), "{shell}");
    f.end().await;
}
in_every_shell!(later_output_goes_to_its_own_commands_record);

async fn helpers_are_waited_for(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let text = "echo hi > >(cat; echo end)";
    let mut in_time = 0;
    for _ in 0..10 {
        let command = f.session.execute(text, CommandOptions::default()).unwrap();
        in_time += usize::from(f.see(&command, text).await.stdout.starts_with("hi\n"));
        // On a machine that is busy beyond DRAIN_GRACE it comes late, and is there all the same.
        eventually_async("the helper", async || {
            output(&command).await[0] == "hi\nend\n"
        })
        .await;
    }
    assert!(in_time > 0, "{shell}");
    f.end().await;
}
in_every_shell!(helpers_are_waited_for: bash, zsh);

async fn a_time_limit_ends_the_command_and_not_the_session(shell: &'static str) {
    let f = Fixture::new(shell).await;
    f.ok("X=kept; cd /; g() { echo g; }").await;
    let (a, b) = (unique_sleep(), unique_sleep());
    let text = format!("echo part; setsid sleep {a} & trap '' TERM; sleep {b}");
    within_a_limit(async |limit| {
        let began = Instant::now();
        let did = f.run_with(&text, within(limit)).await;
        assert_eq!(did.termination, Termination::TimedOut { limit }, "{shell}");
        assert!(began.elapsed() < PATIENCE, "{shell}");
        (did.stdout == "part\n").then_some(())
    })
    .await;
    eventually("all gone", || pid_of(&a).is_none() && pid_of(&b).is_none()).await;
    assert_eq!(f.ok("echo $X; pwd; g").await, "kept\n/\ng\n", "{shell}");
    f.end().await;
}
in_every_shell!(a_time_limit_ends_the_command_and_not_the_session);

async fn a_shell_that_loops_by_itself_is_ended_at_its_limit(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let limit = Duration::from_millis(200);
    let did = f.run_with("while :; do :; done", within(limit)).await;
    assert_eq!(did.termination, Termination::TimedOut { limit }, "{shell}");
    eventually("ended", || f.session.ended().is_some()).await;
    f.end().await;
}
in_every_shell!(a_shell_that_loops_by_itself_is_ended_at_its_limit);

async fn input_is_what_was_given_and_then_an_end(shell: &'static str) {
    let f = Fixture::new(shell).await;
    for mode in [InputMode::Silent, InputMode::Echoed] {
        let command = f
            .session
            .execute("cat >f; echo done", with_input(mode))
            .unwrap();
        for part in [&b"a\0b"[..], b"", b"\xff\n", b"last"] {
            command.write_input(Bytes::copy_from_slice(part)).unwrap();
        }
        command.close_input().unwrap();
        assert_eq!(command.write_input("x".into()), Err(InputError::Closed));
        let did = f.see(&command, "cat").await;
        let echo = if mode == InputMode::Echoed {
            "a\0b\u{fffd}\nlast"
        } else {
            ""
        };
        assert_eq!(did.stdout, format!("{echo}done\n"), "{shell}");
        assert_eq!(
            std::fs::read(f.path("f")).unwrap(),
            b"a\0b\xff\nlast",
            "{shell}"
        );
        assert_eq!(
            command.write_input("x".into()),
            Err(InputError::Ended),
            "{shell}"
        );
    }
    let sync = f
        .session
        .execute(UNTIL_GO, CommandOptions::default())
        .unwrap();
    assert_eq!(
        sync.write_input("x".into()),
        Err(InputError::Closed),
        "{shell}"
    );
    f.go();
    f.see(&sync, UNTIL_GO).await;
    f.end().await;
}
in_every_shell!(input_is_what_was_given_and_then_an_end);

async fn much_input_blocks_no_other(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let big = Bytes::from(vec![b'x'; 8 * 1024 * 1024]);
    let idle = f
        .session
        .execute(UNTIL_GO, with_input(InputMode::Silent))
        .unwrap();
    let queued = f
        .session
        .execute("wc -c", with_input(InputMode::Silent))
        .unwrap();
    idle.write_input(big.clone()).unwrap();
    queued.write_input(big.clone()).unwrap();
    queued.close_input().unwrap();
    f.go();
    assert_eq!(
        f.see(&idle, UNTIL_GO).await.termination,
        exited(0),
        "{shell}"
    );
    assert_eq!(
        f.see(&queued, "wc").await.stdout.trim(),
        "8388608",
        "{shell}"
    );
    let prompt = f
        .session
        .execute(
            "printf 'Name: '; read x; echo \"<$x>\"",
            with_input(InputMode::Silent),
        )
        .unwrap();
    eventually_async("the prompt", async || output(&prompt).await[0] == "Name: ").await;
    prompt.write_input("me\n".into()).unwrap();
    assert_eq!(
        f.see(&prompt, "prompt").await.stdout,
        "Name: <me>\n",
        "{shell}"
    );
    f.end().await;
}
in_every_shell!(much_input_blocks_no_other);

async fn a_command_of_another_user_is_that_users_and_changes_nothing(shell: &'static str) {
    let as_user = |user: &str| CommandOptions {
        user: Some(user.into()),
        ..CommandOptions::default()
    };
    let is_root = rustix::process::geteuid().is_root();
    let f = Fixture::new(shell).await;
    for unknown in ["", "no-such-user", "-c"] {
        let refused = f.session.execute("true", as_user(unknown)).unwrap_err();
        assert!(
            matches!(&refused, SessionExecError::User(UserError::Unknown { name }) if name == unknown),
            "{refused:?}"
        );
    }
    if !is_root {
        let refused = f.session.execute("true", as_user("root")).unwrap_err();
        let SessionExecError::User(UserError::NotAllowed { .. }) = refused else {
            panic!("{refused:?}");
        };
        f.end().await;
        return;
    }
    assert_eq!(f.run_with("id -un", as_user("root")).await.stdout, "root\n");
    let options = CommandOptions {
        env: vec![("A".into(), "it's".into())],
        cwd: Some("/".into()),
        ..as_user("nobody")
    };
    let did = f
        .run_with(
            "id -un; id -gn; echo \"<$A>\" $USER; pwd; A=x; echo e >&2; exit 4",
            options,
        )
        .await;
    assert_eq!(
        did.stdout, "nobody\nnogroup\n<it's> nobody\n/\n",
        "{shell}: {did:?}"
    );
    assert_eq!(
        (did.stderr.as_str(), did.termination),
        ("e\n", exited(4)),
        "{shell}"
    );
    assert_eq!(
        f.ok("id -un; echo \"$A$USER\"").await.lines().next(),
        Some("root")
    );
    // A long text comes by another way.
    let long = format!("id -un # {}\nexit 5", "x".repeat(100_000));
    let did = f.run_with(&long, as_user("nobody")).await;
    assert_eq!(
        (did.stdout.as_str(), did.termination),
        ("nobody\n", exited(5)),
        "{shell}"
    );
    let sleep = unique_sleep();
    let options = CommandOptions {
        timeout: Some(Duration::from_millis(500)),
        ..as_user("nobody")
    };
    let did = f
        .run_with(&format!("sleep {sleep} & sleep {sleep}"), options)
        .await;
    assert!(
        matches!(did.termination, Termination::TimedOut { .. }),
        "{shell}: {did:?}"
    );
    eventually("the end of both", || pid_of(&sleep).is_none()).await;
    assert_eq!(f.ok("echo still here").await, "still here\n");
    f.end().await;
}
in_every_shell!(a_command_of_another_user_is_that_users_and_changes_nothing);

async fn a_place_and_variables_of_its_own_change_nothing_else(shell: &'static str) {
    let f = Fixture::new(shell).await;
    f.ok("mkdir d; A=session; export A").await;
    let options = CommandOptions {
        cwd: Some(f.path("d")),
        env: vec![
            ("A".into(), "own '\"\n=".into()),
            ("B_2".into(), String::new()),
        ],
        ..CommandOptions::default()
    };
    let did = f
        .run_with(
            "pwd; sh -c 'printf \"<%s>\" \"$A\"'; cd /; A=x; (exit 4)",
            options,
        )
        .await;
    let relative = CommandOptions {
        cwd: Some("d".into()),
        ..CommandOptions::default()
    };
    f.ok("cd /").await;
    let pwd = f.run_with("pwd", relative).await.stdout;
    assert_eq!(pwd, format!("{}\n", f.path("d").display()), "{shell}");
    f.ok("cd \"$OLDPWD\"").await;
    assert_eq!(
        did.stdout,
        format!("{}\n<own '\"\n=>", f.path("d").display()),
        "{shell}"
    );
    assert_eq!(did.termination, exited(4), "{shell}");
    assert_eq!(
        f.ok("echo $A; pwd").await,
        format!("session\n{}\n", f.engine.work_dir().display()),
        "{shell}"
    );
    assert!(matches!(
        f.session.check_cwd("/nope-x".as_ref()).await,
        Err(SessionExecError::WorkDir { .. })
    ));
    let bad = CommandOptions {
        env: vec![("A-B".into(), "x".into())],
        ..CommandOptions::default()
    };
    assert!(matches!(
        f.session.execute("true", bad),
        Err(SessionExecError::Variable(_))
    ));
    f.end().await;
}
in_every_shell!(a_place_and_variables_of_its_own_change_nothing_else);

async fn commands_run_in_the_order_in_which_they_were_given(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let commands: Vec<_> = (0..300)
        .map(|n| {
            f.session
                .execute(
                    &format!("echo {n} | cat >>log; echo {n}; (exit {})", n % 200),
                    CommandOptions::default(),
                )
                .unwrap()
        })
        .collect();
    for (n, command) in commands.iter().enumerate() {
        let did = f.see(command, "echo").await;
        assert_eq!(did.stdout, format!("{n}\n"), "{shell}");
        assert_eq!(
            did.termination,
            exited(i32::try_from(n).unwrap() % 200),
            "{shell}"
        );
    }
    let log = std::fs::read_to_string(f.path("log")).unwrap();
    let expect: String = (0..300).map(|n| format!("{n}\n")).collect();
    assert_eq!(log, expect, "{shell}");
    let ids: Vec<_> = f
        .session
        .commands()
        .iter()
        .map(|command| command.id().to_owned())
        .collect();
    assert_eq!(
        ids,
        commands
            .iter()
            .map(|command| command.id().to_owned())
            .collect::<Vec<_>>()
    );
    f.end().await;
}
in_every_shell!(commands_run_in_the_order_in_which_they_were_given);

async fn whatever_was_written_last_is_there_on_a_busy_machine(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let busy = "(while :; do :; done) & (while :; do :; done) & (while :; do :; done) & :";
    f.ok(busy).await;
    let expect: String = (1..=20000).map(|n| format!("{n}\n")).collect();
    for _ in 0..40 {
        let did = f.run("$H count 20000; (exit 3)").await;
        assert!(did.stdout == expect, "{shell}: {} bytes", did.stdout.len());
        assert_eq!(did.termination, exited(3), "{shell}");
    }
    let did = f.run("$H count 20000; exit 3").await;
    assert!(did.stdout == expect, "{shell}: {} bytes", did.stdout.len());
    assert_eq!(did.termination, exited(3), "{shell}");
    f.end().await;
}
in_every_shell!(whatever_was_written_last_is_there_on_a_busy_machine);

#[tokio::test]
async fn a_gigabyte_is_kept_whole_while_nobody_reads() {
    let f = Fixture::new("/bin/bash").await;
    let length = 1_000_000_000;
    let text = format!("head -c {length} /dev/zero; sleep 0.5; echo end >&2");
    let command = f.session.execute(&text, CommandOptions::default()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(120), command.ended()).await;
    assert_eq!(ended.unwrap(), exited(0));
    let record = command.record();
    assert_eq!((record.length(), record.dropped()), (length + 4, 0));
    let mut cursor = record.follow(length - 10).unwrap();
    let mut last = Vec::new();
    while let Some(Piece::Data { bytes, .. }) = cursor.next().await {
        last.extend_from_slice(&bytes);
    }
    assert_eq!(last, b"\0\0\0\0\0\0\0\0\0\0end\n");
    f.end().await;
}

#[tokio::test]
async fn ids_are_unique_and_never_paths() {
    let f = Fixture::new("/bin/bash").await;
    let engine = Arc::new(f.engine.clone());
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                engine
                    .sessions()
                    .create("one", SessionOptions::default())
                    .await
                    .is_ok()
            })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += usize::from(task.await.unwrap());
    }
    assert_eq!(made, 1);
    for id in [
        ".",
        "..",
        "../../x",
        "a/b",
        "a b",
        "$(touch pwned)",
        "`touch pwned`",
        "%n",
        "a\nb",
        "\u{1f600}",
    ] {
        let session = engine
            .sessions()
            .create(id, SessionOptions::default())
            .await
            .unwrap();
        let command = session
            .execute(
                "echo hi",
                CommandOptions {
                    id: Some(id.to_owned()),
                    ..CommandOptions::default()
                },
            )
            .unwrap();
        assert_eq!(f.see(&command, id).await.stdout, "hi\n");
        let again = session.execute(
            "echo",
            CommandOptions {
                id: Some(id.to_owned()),
                ..CommandOptions::default()
            },
        );
        assert!(
            matches!(again, Err(SessionExecError::Exists { .. })),
            "{again:?}"
        );
        assert!(engine.sessions().delete(id).await);
    }
    assert!(!f.path("pwned").exists());
    for id in [String::new(), "x".repeat(256)] {
        let made = engine
            .sessions()
            .create(&id, SessionOptions::default())
            .await;
        assert!(matches!(made, Err(CreateSessionError::Id { .. })));
    }
    let nowhere = SessionOptions {
        cwd: Some("nope".into()),
        ..SessionOptions::default()
    };
    assert!(matches!(
        engine.sessions().create("w", nowhere).await,
        Err(CreateSessionError::Spawn(_))
    ));
    assert!(engine.sessions().get("w").is_none());
    assert!(engine.sessions().delete("one").await);
    f.end().await;
}

#[tokio::test]
async fn nothing_is_left_over() {
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let f = Fixture::new("/bin/bash").await;
    f.ok("true").await;
    f.engine
        .sessions()
        .create("x", SessionOptions::default())
        .await
        .unwrap();
    f.engine.sessions().delete("x").await;
    let before = count();
    for _ in 0..20 {
        let session = f
            .engine
            .sessions()
            .create("x", SessionOptions::default())
            .await
            .unwrap();
        for _ in 0..5 {
            let command = session
                .execute("echo a; sleep 0", with_input(InputMode::Echoed))
                .unwrap();
            f.see(&command, "x").await;
        }
        f.engine.sessions().delete("x").await;
    }
    // Other tests of this process open and close some meanwhile.
    eventually("descriptors are closed", || count() < before + 40).await;
    f.end().await;
}

#[tokio::test]
async fn sessions_and_queues_have_an_end() {
    let f = Fixture::new("/bin/dash").await;
    f.session
        .execute("sleep 60", CommandOptions::default())
        .unwrap();
    let limit = sandbox_engine::limits::QUEUED_COMMANDS;
    let began = Instant::now();
    let mut taken = 0;
    let refused = loop {
        match f.session.execute("true", CommandOptions::default()) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(refused, SessionExecError::TooMany { .. }),
        "{refused:?}"
    );
    // The first may have begun, and waits no more.
    assert!((limit - 1..=limit).contains(&taken), "{taken}");
    assert!(began.elapsed() < PATIENCE);
    f.end().await;

    let f = Fixture::new("/bin/dash").await;
    let start = |text: &str| f.session.execute(text, CommandOptions::default());
    let first = start("sleep 60").unwrap();
    eventually("it runs", || first.state() == CommandState::Running).await;
    let half = "#".repeat(sandbox_engine::limits::QUEUED_COMMAND_BYTES / 2);
    start(&half).unwrap();
    start(&half).unwrap();
    let refused = start("true").unwrap_err();
    assert!(
        matches!(refused, SessionExecError::TooLong { .. }),
        "{refused:?}"
    );
    f.end().await;

    let f = Fixture::new("/bin/dash").await;
    let limit = sandbox_engine::limits::SESSIONS;
    let mut made = 1;
    let refused = loop {
        match f
            .engine
            .sessions()
            .create(&format!("{made}"), SessionOptions::default())
            .await
        {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(
            refused,
            CreateSessionError::TooMany { .. } | CreateSessionError::Spawn(_)
        ),
        "{refused:?}"
    );
    assert!(made <= limit);
    f.end().await;
}

#[tokio::test]
async fn a_shell_that_never_begins_makes_no_session() {
    let f = Fixture::new("/bin/dash").await;
    for shell in ["/bin/false", "/bin/true", "/nope-x", "/etc/passwd"] {
        let options = SessionOptions {
            shell: Some(shell.into()),
            ..SessionOptions::default()
        };
        let made = f.engine.sessions().create("x", options).await;
        assert!(
            matches!(made, Err(CreateSessionError::Spawn(_))),
            "{shell}: {made:?}"
        );
        assert!(f.engine.sessions().get("x").is_none());
    }
    f.end().await;
}

/// `exec` puts another program into the shell's process, which is the command's from then on.
async fn a_program_in_the_shells_place_is_signaled_and_ended(shell: &'static str) {
    let f = Fixture::new(shell).await;
    let ready = f.path("ready");
    let trap =
        "exec sh -c 'trap \"echo caught; exit 9\" TERM; : >ready; while :; do sleep 0.05; done'";
    let command = f.session.execute(trap, CommandOptions::default()).unwrap();
    eventually("the program", || ready.exists()).await;
    command.signal(Signal::TERM).await.unwrap();
    let did = f.see(&command, trap).await;
    assert_eq!(
        (did.stdout.as_str(), did.termination),
        ("caught\n", exited(9)),
        "{shell}"
    );
    f.end().await;

    within_a_limit(async |limit| {
        let f = Fixture::new(shell).await;
        let limited = f.run_with(trap, within(limit)).await;
        let is_trapping = f.path("ready").exists();
        f.end().await;
        assert_eq!(
            limited.termination,
            Termination::TimedOut { limit },
            "{shell}"
        );
        if is_trapping {
            assert_eq!(limited.stdout, "caught\n", "{shell}: it was asked first");
        }
        is_trapping.then_some(())
    })
    .await;
}
in_every_shell!(a_program_in_the_shells_place_is_signaled_and_ended);

async fn a_shell_that_changed_its_name_is_no_other_program(shell: &'static str) {
    let f = Fixture::new(shell).await;
    f.run("X=kept; echo other >/proc/$$/comm").await;
    let text = "sleep 60 & echo ready; wait";
    let command = f.session.execute(text, CommandOptions::default()).unwrap();
    let mut output = command.record().follow(0).unwrap();
    output.next().await.unwrap();
    command.signal(Signal::KILL).await.unwrap();
    command.ended().await;
    assert_eq!(f.run("echo $X").await.stdout, "kept\n", "{shell}");
    f.end().await;
}
in_every_shell!(a_shell_that_changed_its_name_is_no_other_program);
