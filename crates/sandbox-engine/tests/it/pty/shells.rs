//! How a terminal's shell begins, what it finds, how it ends.

use sandbox_engine::{
    CreatePtyError, Environment, PtyOptions, PtySize, PtyState, ResizePtyError, SpawnError,
    Termination,
};

use super::{Home, User};
use crate::guard::{eventually, pid_of, unique_sleep};

#[tokio::test]
async fn a_shell_finds_what_was_asked_for() {
    let home = Home::new();
    let options = PtyOptions {
        cwd: Some("/usr".into()),
        env: vec![("K".into(), "v w".into()), ("A-B".into(), "dash".into())],
        size: PtySize::new(100, 30).unwrap(),
        ..PtyOptions::default()
    };
    let pty = home.engine.ptys().create("t", options).await.unwrap();
    assert_eq!(pty.state(), PtyState::Running);
    let mut user = User::of(pty);
    user.types(
        "stty -echo; stty size; echo $TERM:$K:; pwd; echo $PWD; tty; echo $-; shopt login_shell\n",
    )
    .await;
    user.until("30 100\r\n").await;
    user.until("xterm-256color:v w:\r\n/usr\r\n/usr\r\n/dev/pts/")
        .await;
    let flags = user.until("login_shell").await;
    assert!(flags.contains('i') && flags.contains('m'), "{flags:?}");
    user.until("on\r\n").await;
    // A controlling terminal, and no descriptors but its own; ls has one more for the directory.
    user.types("echo ctty > /dev/tty; ls /proc/self/fd; stty -a; env | grep A-B; exit 7\n")
        .await;
    assert_eq!(user.read_to_end().await, Termination::Exited { code: 7 });
    let shown = String::from_utf8(user.seen).unwrap();
    assert!(shown.contains("ctty\r\n0  1  2  3\r\n"), "{shown}");
    assert!(
        shown.contains("iutf8") && !shown.contains("-iutf8"),
        "{shown}"
    );
    assert!(shown.contains("A-B=dash"), "{shown}");
}

#[tokio::test]
async fn what_was_shown_precedes_the_end() {
    let home = Home::new();
    for round in 0..20 {
        let mut user = home.pty("t").await;
        user.types("stty -echo; echo begin; seq 1 20000; exit 3\n")
            .await;
        assert_eq!(user.read_to_end().await, Termination::Exited { code: 3 });
        let shown = String::from_utf8(user.seen).unwrap();
        let (_, numbers) = shown.split_once("begin\r\n1\r\n").expect(&shown);
        let expect: String = (2..=20_000).map(|n| format!("{n}\r\n")).collect();
        assert!(numbers.starts_with(&expect), "round {round}");
        // A client that comes later finds the same.
        let mut late = User::of(home.engine.ptys().get("t").unwrap());
        assert_eq!(late.read_to_end().await, Termination::Exited { code: 3 });
        assert_eq!(late.seen, shown.into_bytes());
    }
}

#[tokio::test]
async fn every_end_is_reported() {
    let home = Home::new();
    let signaled = |signal| Termination::Signaled {
        signal,
        core_dumped: false,
    };
    for (line, expect) in [
        ("exit 0", Termination::Exited { code: 0 }),
        ("exit 255", Termination::Exited { code: 255 }),
        ("kill -9 $$", signaled(9)),
        ("kill -HUP $$", signaled(1)),
        ("exec sh -c 'exit 4'", Termination::Exited { code: 4 }),
        ("exec /no/such; exit 9", Termination::Exited { code: 9 }),
    ] {
        let mut user = home.pty("t").await;
        user.types(&format!("{line}\n")).await;
        assert_eq!(user.read_to_end().await, expect, "{line}");
    }
}

#[tokio::test]
async fn a_child_that_keeps_the_terminal_does_not_delay_the_end() {
    let home = Home::new();
    let sleep = unique_sleep();
    let mut user = home.pty("t").await;
    user.types(&format!(
        "(trap '' HUP; exec sleep {sleep}) & echo last; exit 9\n"
    ))
    .await;
    assert_eq!(user.read_to_end().await, Termination::Exited { code: 9 });
    let shown = String::from_utf8(user.seen).unwrap();
    assert!(shown.contains("\nlast\r\n"), "{shown}");
    let pid = pid_of(&sleep).expect("it ignores the hang-up");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_deleted_terminal_takes_all_its_processes_along() {
    let home = Home::new();
    let [foreground, detached] = [unique_sleep(), unique_sleep()];
    let mut user = home.pty("t").await;
    user.types(&format!(
        "trap '' TERM HUP; (setsid sleep {detached} &); sleep {foreground}\n"
    ))
    .await;
    eventually("both run", || {
        pid_of(&foreground).is_some() && pid_of(&detached).is_some()
    })
    .await;
    assert!(home.engine.ptys().delete("t").await);
    assert_eq!((pid_of(&foreground), pid_of(&detached)), (None, None));
    let killed = Termination::Signaled {
        signal: 9,
        core_dumped: false,
    };
    assert_eq!(user.read_to_end().await, killed);
    assert!(home.engine.ptys().get("t").is_none() && home.engine.ptys().list().is_empty());
    assert!(!home.engine.ptys().delete("t").await);
}

#[tokio::test]
async fn a_lazy_shell_starts_on_request() {
    let home = Home::new();
    let lazy = |cwd: Option<&str>| PtyOptions {
        is_lazy: true,
        cwd: cwd.map(Into::into),
        ..PtyOptions::default()
    };
    let pty = home.engine.ptys().create("t", lazy(None)).await.unwrap();
    assert_eq!(pty.state(), PtyState::Waiting);
    // What is typed waits as well.
    let mut user = User::of(pty.clone());
    user.types("stty size; exit\n").await;
    pty.resize(PtySize::new(50, 20).unwrap()).await.unwrap();
    let starts = (0..10).map(|_| {
        let (engine, pty) = (home.engine.clone(), pty.clone());
        tokio::spawn(async move { engine.ptys().start(&pty).await })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
    user.until("20 50\r\n").await;
    user.read_to_end().await;

    let pty = home
        .engine
        .ptys()
        .create("t", lazy(Some("x")))
        .await
        .unwrap();
    let error = home.engine.ptys().start(&pty).await.unwrap_err();
    assert!(matches!(error, SpawnError::WorkDir { .. }), "{error}");
    std::fs::create_dir(home.directory.path().join("x")).unwrap();
    home.engine.ptys().start(&pty).await.unwrap();
    assert!(home.engine.ptys().delete("t").await);

    let pty = home.engine.ptys().create("t", lazy(None)).await.unwrap();
    assert!(home.engine.ptys().delete("t").await);
    let ended = pty.ended().await;
    assert!(matches!(ended, Termination::NotStarted { .. }), "{ended:?}");
    home.engine.ptys().start(&pty).await.unwrap();
}

#[tokio::test]
async fn ids_are_unique_until_their_shells_end() {
    let home = Home::new();
    let making = (0..100).map(|_| {
        let engine = home.engine.clone();
        tokio::spawn(async move { engine.ptys().create("same", PtyOptions::default()).await })
    });
    let mut made = 0;
    for making in making.collect::<Vec<_>>() {
        match making.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert!(matches!(error, CreatePtyError::Exists { .. }), "{error}"),
        }
    }
    assert_eq!((made, home.engine.ptys().list().len()), (1, 1));
    let mut first = User::of(home.engine.ptys().get("same").unwrap());
    first.types("echo one; exit\n").await;
    first.read_to_end().await;
    let resized = first.pty.resize(PtySize::default()).await;
    assert!(matches!(resized, Err(ResizePtyError::Ended)));
    assert!(first.input.write("x".into()).await.is_err());
    // Deleted and made again at once, an old one's end does not touch the new one.
    for _ in 0..10 {
        let user = home.pty("same").await;
        user.types("exit\n").await;
        home.engine.ptys().delete("same").await;
    }
    let mut last = home.pty("same").await;
    last.types("echo two; exit\n").await;
    last.until("two\r\n").await;

    for bad in ["", &"x".repeat(1 + sandbox_engine::limits::ID_BYTES)] {
        let error = home.engine.ptys().create(bad, PtyOptions::default()).await;
        assert!(matches!(error, Err(CreatePtyError::Id { .. })), "{bad:?}");
    }
    for name in ["", "A=B", "A\0"] {
        let options = PtyOptions {
            env: vec![(name.into(), String::new())],
            ..PtyOptions::default()
        };
        let error = home.engine.ptys().create("bad", options).await;
        assert!(
            matches!(error, Err(CreatePtyError::Variable(_))),
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn terminals_have_an_end() {
    use sandbox_engine::limits::{ENDED_PTYS, PTYS};
    let home = Home::new();
    let lazy = PtyOptions {
        is_lazy: true,
        ..PtyOptions::default()
    };
    for n in 0..PTYS {
        let made = home
            .engine
            .ptys()
            .create(&n.to_string(), lazy.clone())
            .await;
        made.unwrap();
    }
    let error = home.engine.ptys().create("more", lazy).await.unwrap_err();
    assert!(matches!(error, CreatePtyError::TooMany { limit: PTYS }));
    for n in 0..PTYS {
        assert!(home.engine.ptys().delete(&n.to_string()).await);
    }
    for n in 0..=ENDED_PTYS {
        let mut user = home.pty(&n.to_string()).await;
        user.types("exit\n").await;
        user.read_to_end().await;
    }
    assert!(home.engine.ptys().get("0").is_none() && home.engine.ptys().get("1").is_some());
}

#[tokio::test]
async fn a_changed_size_is_reported() {
    let home = Home::new();
    let mut user = home.pty("t").await;
    let program = "trap 'echo winch $(stty size)' WINCH; echo ready; while [ ! -e stop ]; do sleep 0.02; done";
    std::fs::write(home.directory.path().join("program"), program).unwrap();
    user.types("stty -echo; exec sh program\n").await;
    user.until("ready\r\n").await;
    let resize = async |cols, rows| {
        let size = PtySize::new(cols, rows).unwrap();
        user.pty.resize(size).await.unwrap();
        assert_eq!(user.pty.size(), size);
    };
    // The same.
    resize(80, 24).await;
    resize(81, 24).await;
    resize(81, 24).await;
    user.until("winch 24 81\r\n").await;
    user.pty
        .resize(PtySize::new(82, 25).unwrap())
        .await
        .unwrap();
    let shown = user.until("winch 25 82\r\n").await;
    assert_eq!(shown.matches("winch").count(), 1, "{shown:?}");
    std::fs::write(home.directory.path().join("stop"), "").unwrap();
    user.read_to_end().await;
    assert_eq!(user.seen, b"");
}

#[tokio::test]
async fn a_shell_may_let_go_of_its_terminal_for_a_while() {
    let home = Home::new();
    let mut user = home.pty("t").await;
    user.types(
        "stty -echo; exec sh -c 'exec <&- >&- 2>&-; sleep 0.2; echo again > /dev/tty; exit 5'\n",
    )
    .await;
    user.until("again\r\n").await;
    assert_eq!(user.read_to_end().await, Termination::Exited { code: 5 });
}

#[tokio::test]
async fn a_shutdown_ends_terminals() {
    let home = Home::new();
    let mut user = home.pty("t").await;
    let sleep = unique_sleep();
    user.types(&format!("sleep {sleep}\n")).await;
    eventually("it runs", || pid_of(&sleep).is_some()).await;
    home.engine.shutdown().await;
    assert_eq!(pid_of(&sleep), None);
    let ended = user.read_to_end().await;
    assert!(matches!(ended, Termination::Signaled { .. }), "{ended:?}");
}

/// A terminal is UTF-8, and its programs are to know.
#[tokio::test]
async fn a_terminal_without_a_locale_has_utf_8() {
    let lang = |names: &[(&str, &str)], given: &[(&str, &str)]| {
        let mut environment = Environment::of_this_process();
        let mut chosen = Vec::new();
        for (name, _) in environment.iter() {
            let name = name.to_string_lossy();
            if name == "LANG" || name.starts_with("LC_") {
                chosen.push(name.into_owned());
            }
        }
        chosen.iter().for_each(|name| environment.remove(name));
        environment.set("HOME", "/nonexistent");
        for (name, value) in names {
            environment.set(name, value);
        }
        let Home { engine, directory } =
            Home::with(|builder| builder.environment(environment).shell("/bin/dash"));
        let given = given
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let options = PtyOptions {
            env: given.collect(),
            ..PtyOptions::default()
        };
        async move {
            let pty = engine.ptys().create("p", options).await.unwrap();
            let mut user = User::of(pty);
            user.types("echo \"<$LANG\"\">\"\n").await;
            let shown = user.until(">\r\n").await;
            engine.shutdown().await;
            drop(directory);
            shown[shown.rfind('<').unwrap() + 1..]
                .trim_end_matches(">\r\n")
                .to_owned()
        }
    };
    assert_eq!(lang(&[], &[]).await, "C.UTF-8");
    assert_eq!(lang(&[("LANG", ""), ("LC_ALL", "")], &[]).await, "C.UTF-8");
    // An explicit choice holds.
    assert_eq!(lang(&[("LANG", "C")], &[]).await, "C");
    assert_eq!(lang(&[("LC_CTYPE", "C")], &[]).await, "");
    assert_eq!(lang(&[], &[("LANG", "POSIX")]).await, "POSIX");
    assert_eq!(lang(&[], &[("LANG", "")]).await, "");
    assert_eq!(lang(&[], &[("LC_ALL", "C")]).await, "");
}
