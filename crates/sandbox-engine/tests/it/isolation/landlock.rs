//! The level without namespaces.

use sandbox_engine::code::{Language, Program};
use sandbox_engine::interpreter::{ContextOptions, Ending, ExecuteOptions};
use sandbox_engine::isolation::{Access, InvalidIsolation, Isolation, IsolationBuilder, Level};
use sandbox_engine::record::Piece;
use sandbox_engine::{
    CommandOptions, OutputMode, PtyOptions, Recorded, RunOptions, SessionOptions, Signal,
    Termination,
};

use super::{Machine, can_have, can_isolate};
use crate::guard::{eventually, repeat, text};
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
    if !can_have(&machine, &restricted()).await {
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

/// `/tmp` has files of others, so a run has a directory of its own, which the usual variables name.
#[tokio::test]
async fn temporary_files_are_of_the_run_and_end_with_it() {
    let machine = Machine::new();
    if !can_have(&machine, &restricted()).await {
        return;
    }
    let run = async |command: &str, variables: &[(&str, &str)]| {
        let variables = variables.iter();
        let options = RunOptions {
            isolation: Some(restricted()),
            env: variables
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..RunOptions::default()
        };
        let outcome = machine.engine.exec(command, options).await.unwrap();
        text(&outcome)
    };
    let use_it = "file=$(mktemp) && echo x > $file && cat $file && mkdir $TMPDIR/d && mv $file $TMPDIR/d/f \
                  && test \"$TMPDIR\" = \"$TMP\" && test \"$TMPDIR\" = \"$TEMP\" && ls $TMPDIR/d && echo $TMPDIR";
    let mut seen = Vec::new();
    for named in ["/tmp", "/no/such", "relative"] {
        let written = run(use_it, &[("TMPDIR", named)]).await;
        let path = written
            .strip_prefix("x\nf\n")
            .unwrap()
            .trim_end()
            .to_owned();
        assert!(path.starts_with('/') && path != "/tmp", "{path}");
        removed(&path).await;
        assert!(!seen.contains(&path), "{path}");
        seen.push(path);
    }
    // While it runs no other run reaches it.
    let options = RunOptions {
        isolation: Some(restricted()),
        ..RunOptions::default()
    };
    let text_of_it = "echo secret > $TMPDIR/s; echo $TMPDIR; mkfifo go; read line < go";
    let running = machine.engine.start(text_of_it, options).await.unwrap();
    let mut cursor = running.record().follow(0).unwrap();
    let Some(Piece::Data { bytes, .. }) = cursor.next().await else {
        panic!("it has written nothing");
    };
    let path = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    let look = format!("cat {path}/s 2>/dev/null; (echo x > {path}/t) 2>/dev/null; echo end");
    assert_eq!(run(&look, &[]).await, "end\n");
    assert_eq!(
        std::fs::read_to_string(format!("{path}/s")).unwrap(),
        "secret\n"
    );
    running.signal(Signal::KILL).await.unwrap();
    running.ended().await;
    removed(&path).await;
    // One that the run may write to is the caller's choice.
    let own = machine.engine.work_dir().join("own");
    std::fs::create_dir(&own).unwrap();
    let own = own.to_str().unwrap();
    assert_eq!(
        run("echo $TMPDIR", &[("TMPDIR", own)]).await,
        format!("{own}\n")
    );
}

async fn removed(path: &str) {
    eventually(&format!("{path} is removed"), || {
        !std::path::Path::new(path).exists()
    })
    .await;
}

/// Deeper than a process usually has descriptors; and directories from which nothing may be removed.
#[tokio::test]
async fn what_a_run_leaves_is_removed_whatever_it_is() {
    let machine = Machine::new();
    if !can_have(&machine, &restricted()).await {
        return;
    }
    let code = "import os\n\
        top = os.environ['TMPDIR']; print(top)\n\
        for chain in range(2):\n\
        \x20   os.chdir(top); os.mkdir(f'c{chain}'); os.chdir(f'c{chain}')\n\
        \x20   for _ in range(999): os.mkdir('d'); os.chdir('d')\n\
        \x20   if chain: os.rename(f'{top}/c{chain - 1}', 'd')\n\
        os.chdir(top); os.makedirs('closed/a'); os.symlink('/', 'closed/link')\n\
        os.mkdir('none', 0); os.umask(0o477); os.mkdir('write')\n\
        raise SystemExit(7)";
    let command = format!("/usr/bin/python3 -S -c \"{code}\"");
    let outcome = machine.run(&restricted(), &command).await;
    assert_eq!(outcome.termination, Termination::Exited { code: 7 });
    let path = text(&outcome).trim_end().to_owned();
    removed(&path).await;
    // An orderly end waits for it.
    let outcome = machine.run(&restricted(), &command).await;
    let path = text(&outcome).trim_end().to_owned();
    machine.engine.shutdown().await;
    assert!(!std::path::Path::new(&path).exists(), "{path}");
}

/// Landlock itself restricts none of this.
#[tokio::test]
async fn nothing_but_the_content_of_files_is_changed() {
    let machine = Machine::new();
    let shown = tempfile::tempdir().unwrap();
    let file = shown.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let isolation = builder().bind(shown.path(), Access::Read).build().unwrap();
    if !can_have(&machine, &isolation).await {
        return;
    }
    let before = std::fs::metadata(&file).unwrap();
    let path = file.display();
    let python = |code: &str| format!("/usr/bin/python3 -S -c \"import os; f = '{path}'; {code}\"");
    for attempt in [
        format!("chmod 777 {path}"),
        format!("chown :$(id -g) {path}"),
        format!("touch {path}"),
        format!("touch -d @1 {path}"),
        python("os.chmod(os.open(f, os.O_RDONLY), 0o777)"),
        python("os.chown(os.open(f, os.O_RDONLY), -1, -1)"),
        python("os.utime(os.open(f, os.O_RDONLY), (1, 1))"),
        python("os.setxattr(f, 'user.a', b'1')"),
        python("os.setxattr(os.open(f, os.O_RDONLY), 'user.a', b'1')"),
        python("os.removexattr(f, 'user.a')"),
    ] {
        let outcome = machine.run(&isolation, &attempt).await;
        assert!(
            !outcome.termination.success(),
            "{attempt}: {}",
            text(&outcome)
        );
    }
    let after = std::fs::metadata(&file).unwrap();
    assert_eq!(before.permissions(), after.permissions());
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    // What ordinary programs do with their own files.
    let own = machine
        .run(&isolation, "touch new && cp new copy && touch new && ls")
        .await;
    assert_eq!(text(&own), "copy\nnew\n");
}

/// Memory, semaphores and queues have numbers that can be guessed, so that none has to be opened.
#[tokio::test]
async fn memory_and_queues_of_other_processes_are_out_of_reach() {
    let machine = Machine::new();
    if !can_have(&machine, &restricted()).await {
        return;
    }
    let tries = "import ctypes\n\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        libc.shmat.restype = ctypes.c_void_p\n\
        none = ctypes.create_string_buffer(256)\n\
        calls = dict(shmget=(7, 4096, 0), shmat=(9 << 20, None, 0), shmctl=(9 << 20, 2, none),\n\
            semget=(7, 1, 0), semop=(9 << 20, none, 1), semtimedop=(9 << 20, none, 1, None),\n\
            semctl=(9 << 20, 0, 12), msgget=(7, 0), msgsnd=(9 << 20, none, 1, 0),\n\
            msgrcv=(9 << 20, none, 1, 0, 2048), msgctl=(9 << 20, 2, none))\n\
        for name, of in calls.items():\n\
        \x20   ctypes.set_errno(0); getattr(libc, name)(*of)\n\
        \x20   print(name, ctypes.get_errno())";
    let command = format!("/usr/bin/python3 -S -c \"{tries}\"");
    let plain = { machine.engine.exec(&command, RunOptions::default()).await }.unwrap();
    // They are not there.
    assert!(
        text(&plain)
            .lines()
            .all(|line| line.ends_with(" 22") || line.ends_with(" 2")),
        "{}",
        text(&plain)
    );
    let outcome = machine.run(&restricted(), &command).await;
    assert!(
        text(&outcome).lines().all(|line| line.ends_with(" 1")),
        "{}",
        text(&outcome)
    );
    assert_eq!(text(&outcome).lines().count(), 11);
}

#[tokio::test]
async fn other_processes_of_the_user_retain_their_priority() {
    let machine = Machine::new();
    if !can_have(&machine, &restricted()).await {
        return;
    }
    // Refused by the filter, and not for what each process may have.
    let code = "import os, ctypes\n\
        try: os.setpriority(os.PRIO_USER, 0, os.getpriority(os.PRIO_USER, 0)); print('set')\n\
        except OSError as error: print(error.errno)\n\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        libc.ioprio_set = lambda *of: libc.syscall(251, *of)\n\
        print(libc.ioprio_set(3, 0, 7 << 13), ctypes.get_errno())\n\
        os.setpriority(os.PRIO_PROCESS, 0, 19); print(os.getpriority(os.PRIO_PROCESS, 0))";
    let command = format!("/usr/bin/python3 -S -c \"{code}\"");
    let outcome = machine.run(&restricted(), &command).await;
    if cfg!(target_arch = "x86_64") {
        assert_eq!(text(&outcome), "1\n-1 1\n19\n");
    }
}

/// A terminal of the engine, which runs of another level do not have either.
#[tokio::test]
async fn a_run_has_not_the_terminal_of_the_engine() {
    const INSIDE: &str = "SANDBOX_TEST_HAS_TERMINAL";
    if std::env::var_os(INSIDE).is_none() {
        let on_a_terminal = "import os, pty, sys\n\
            sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        let test = "isolation::landlock::a_run_has_not_the_terminal_of_the_engine";
        let program = std::env::current_exe().unwrap();
        let words = [
            "python3",
            "-S",
            "-c",
            on_a_terminal,
            program.to_str().unwrap(),
        ];
        return repeat(test, &words, |command| command.env(INSIDE, "1"));
    }
    let machine = Machine::new();
    let mut levels = Vec::new();
    if can_have(&machine, &restricted()).await {
        levels.push(restricted());
    }
    if can_isolate().await {
        levels.push(Isolation::strict());
    }
    let tries = "(: > /dev/tty) 2>/dev/null && echo opened; echo done";
    for isolation in levels {
        let outcome = machine.run(&isolation, tries).await;
        assert_eq!(text(&outcome), "done\n", "{}", isolation.level());
    }
    // It is there to be opened.
    let plain = machine.engine.exec(tries, RunOptions::default()).await;
    assert_eq!(text(&plain.unwrap()), "opened\ndone\n");
}

/// A path that the level does not let be created.
const OUTSIDE: &str = "/usr/sandbox-landlock-test";

#[tokio::test]
async fn programs_have_the_level() {
    let machine = Machine::new();
    if !can_have(&machine, &restricted()).await {
        return;
    }
    let outside = OUTSIDE;
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
}

#[tokio::test]
async fn sessions_have_the_level() {
    let machine = Machine::new();
    if !can_have(&machine, &restricted()).await {
        return;
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
}

#[tokio::test]
async fn terminals_have_the_level() {
    let machine = Machine::new();
    if !can_have(&machine, &restricted()).await {
        return;
    }
    let options = PtyOptions {
        isolation: Some(restricted()),
        ..PtyOptions::default()
    };
    let pty = machine.engine.ptys().create("t", options).await.unwrap();
    assert_eq!(pty.level(), Level::Landlock);
    let line = "echo > /dev/tty && (: > /usr/x) 2>/dev/null || exit 9\n";
    pty.input().write(line.into()).await.unwrap();
    assert_eq!(pty.ended().await, Termination::Exited { code: 9 });
}

#[tokio::test]
async fn contexts_have_the_level() {
    let machine = Machine::new();
    if !can_have(&machine, &restricted()).await {
        return;
    }
    let outside = OUTSIDE;
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
