//! Shell commands.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use sandbox_engine::{ExecError, OutputMode, RunError, RunOptions, SpawnError, Termination};

use crate::guard::{engine, eventually, pid_of, run, text, unique_sleep};

async fn check(command: &str, code: i32, output: &str) {
    let outcome = run(command).await;
    assert_eq!(text(&outcome), output, "{command}");
    assert_eq!(outcome.termination.exit_code(), Some(code), "{command}");
}

#[tokio::test]
async fn commands_do_what_a_shell_does() {
    check("echo hi", 0, "hi\n").await;
    check("printf abc", 0, "abc").await;
    check("exit 7", 7, "").await;
    check("exit 256", 0, "").await;
    check("exit -1", 255, "").await;
    check("echo a; echo b >&2; echo c", 0, "a\nb\nc\n").await;
    check("cat\necho hi", 0, "hi\n").await;
    check("read x; echo \"[$x]\"", 0, "[]\n").await;
    check("exec sh -c 'exit 4'", 4, "").await;
    check("set -e; false; echo never", 1, "").await;
    check("cat <<X\na $((1+1))\nX", 0, "a 2\n").await;
    check("# nothing", 0, "").await;
    check("printf 'a\\000b\\377'", 0, "a\0b\u{fffd}").await;
    check("echo a \\", 0, "a\n").await;
    check("echo a\r\necho b\r\n", 0, "a\r\nb\r\n").await;
    check("-x", 127, "/bin/bash: line 1: -x: command not found\n").await;
    check(
        "/etc/passwd",
        126,
        "/bin/bash: line 1: /etc/passwd: Permission denied\n",
    )
    .await;
    check("echo a\0b", 0, "ab\n").await;
}

#[tokio::test]
async fn deaths_by_signal_are_reported() {
    let outcome = run("kill -9 $$").await;
    assert_eq!(
        outcome.termination,
        Termination::Signaled {
            signal: 9,
            core_dumped: false
        }
    );
    assert_eq!(outcome.termination.exit_code(), Some(137));
    assert_eq!(
        run("kill -TERM $$").await.termination.exit_code(),
        Some(143)
    );
    assert_eq!(
        run("sh -c 'kill -SEGV $$'").await.termination.exit_code(),
        Some(139)
    );
}

#[tokio::test]
async fn children_get_a_clean_start() {
    check("$H flood | head -1", 0, "y\n").await;
}

#[tokio::test]
async fn blank_commands_are_refused() {
    for blank in ["", " \n\t"] {
        let result = engine().exec(blank, RunOptions::default()).await;
        assert!(matches!(result, Err(ExecError::Blank)), "{blank:?}");
    }
}

#[tokio::test]
async fn working_directories() {
    let at = |cwd: &str| RunOptions {
        cwd: Some(cwd.into()),
        ..RunOptions::default()
    };
    let outcome = engine().exec("pwd; echo $PWD", at("/usr")).await.unwrap();
    assert_eq!(text(&outcome), "/usr\n/usr\n");
    for (bad, kind) in [
        ("/no/such/dir", std::io::ErrorKind::NotFound),
        ("/etc/passwd", std::io::ErrorKind::NotADirectory),
    ] {
        match engine().exec("pwd", at(bad)).await {
            Err(ExecError::Run(RunError::Spawn(SpawnError::WorkDir { path, source }))) => {
                assert_eq!((path.to_str(), source.kind()), (Some(bad), kind));
            }
            other => panic!("{bad}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn environments_are_verbatim() {
    let value = "x=y 'q' \"d\"\n$z `b`";
    let options = RunOptions {
        env: vec![("A".into(), value.into()), ("E".into(), String::new())],
        ..RunOptions::default()
    };
    let outcome = engine()
        .exec("printf '%s|%s' \"$A\" \"${E-unset}\"", options)
        .await
        .unwrap();
    assert_eq!(text(&outcome), format!("{value}|"));

    let options = RunOptions {
        env: vec![("A".into(), "v".repeat(140_000))],
        ..RunOptions::default()
    };
    let result = engine().exec("true", options).await;
    assert!(
        matches!(
            result,
            Err(ExecError::Run(RunError::Spawn(SpawnError::TooLarge)))
        ),
        "{result:?}"
    );
}

#[tokio::test]
async fn outputs_can_be_separated() {
    let options = RunOptions {
        output: OutputMode::Split,
        ..RunOptions::default()
    };
    let outcome = engine()
        .exec("echo o; echo e >&2; echo p", options)
        .await
        .unwrap();
    let [stdout, stderr] = outcome.output.split.clone().unwrap();
    assert_eq!(stdout.to_vec(), b"o\np\n");
    assert_eq!(stderr.to_vec(), b"e\n");
    assert_eq!(outcome.output.merged.total(), 6);
}

#[tokio::test]
async fn commands_of_8_mib_run() {
    let text = "x".repeat(8 << 20);
    let outcome = run(&format!(
        "printf %s '{text}' | $H length; read y; echo \"[$y]$LINENO\""
    ))
    .await;
    assert_eq!(crate::guard::text(&outcome), format!("{}\n[]1\n", 8 << 20));
    // No descriptor of ours is left to its children.
    let outcome = run(&format!("$H start; :\n#{text}")).await;
    let said = crate::guard::text(&outcome);
    assert!(said.contains("descriptors 3\n"), "{said}");
}

#[tokio::test]
async fn background_children_delay_nothing() {
    for command in [
        "sleep {} & echo hi",
        "(sleep {}) & disown; echo hi",
        "setsid sleep {} & echo hi",
        "nohup sleep {} & echo hi",
    ] {
        let sleep = unique_sleep();
        let started = Instant::now();
        let outcome = run(&command.replace("{}", &sleep)).await;
        assert!(started.elapsed() < crate::guard::PATIENCE, "{command}");
        assert!(text(&outcome).ends_with("hi\n"), "{command}");
        assert_eq!(outcome.termination.exit_code(), Some(0), "{command}");
        crate::tree::end(&sleep).await;
    }
}

#[tokio::test]
async fn a_helper_that_passes_output_on_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    for _ in 0..20 {
        check(
            &format!("exec > >(tee {}); $H count 2000", file.display()),
            0,
            &numbers(2000),
        )
        .await;
    }
}

fn numbers(to: u32) -> String {
    (1..=to).map(|n| format!("{n}\n")).collect()
}

#[tokio::test]
async fn background_children_are_not_ended_by_a_closed_pipe() {
    let directory = tempfile::tempdir().unwrap();
    let [go, done] = ["go", "done"].map(|name| directory.path().join(name));
    let command = format!(
        "(until [ -e {} ]; do sleep 0.01; done; $H count 100000; touch {}) & echo hi",
        go.display(),
        done.display()
    );
    assert_eq!(text(&run(&command).await), "hi\n");
    std::fs::write(&go, "").unwrap();
    eventually("the child's end", || done.exists()).await;
}

/// Bytes on disk of the files below a directory, and of those in it that this process has open without a name.
fn file_bytes(directory: &Path) -> u64 {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let nameless = open.filter(|entry| {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        target.starts_with(directory) && target.to_string_lossy().ends_with(" (deleted)")
    });
    let nameless = nameless.flat_map(|entry| std::fs::metadata(entry.path()));
    named_bytes(directory) + nameless.map(|found| found.blocks() * 512).sum::<u64>()
}

fn named_bytes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => named_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            // Removed meanwhile.
            Err(_) => 0,
        })
        .sum()
}

/// More than a record holds in memory, so that it would be in a file.
#[tokio::test]
async fn output_without_a_reader_is_read_and_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let [state, go, done] = ["state", "go", "done"].map(|name| directory.path().join(name));
    std::fs::create_dir(&state).unwrap();
    let engine = crate::guard::builder().state_dir(&state).build().unwrap();
    let write = format!(
        "until [ -e {} ]; do sleep 0.01; done; $H zeros 200000000; touch {}",
        go.display(),
        done.display()
    );
    for case in ["exec", "start", "start and go"] {
        let sleep = unique_sleep();
        let command = match case {
            "start and go" => format!("{write}; exec sleep {sleep}"),
            _ => format!("({write}; exec sleep {sleep}) & true"),
        };
        match case {
            "exec" => drop(engine.exec(&command, RunOptions::default()).await.unwrap()),
            _ => {
                let started = engine.start(&command, RunOptions::default()).await.unwrap();
                if case == "start" {
                    started.ended().await;
                }
            }
        }
        std::fs::write(&go, "").unwrap();
        eventually("the child's end", || done.exists()).await;
        assert!(file_bytes(&state) < 64 * 1024, "{case}");
        crate::tree::end(&sleep).await;
        std::fs::remove_file(&go).unwrap();
        std::fs::remove_file(&done).unwrap();
    }
}

#[tokio::test]
async fn floods_from_the_background_do_not_delay_the_result() {
    let sleep = unique_sleep();
    let outcome = run(&format!(
        "($H flood & exec sleep {sleep}) & sleep 0.05; echo hi >&2; exit 3"
    ))
    .await;
    assert_eq!(outcome.termination.exit_code(), Some(3));
    crate::tree::end(&sleep).await;
}

#[tokio::test]
async fn big_outputs_are_whole_and_bigger_ones_bounded() {
    let outcome = run("$H zeros 40000000").await;
    assert_eq!(
        (outcome.output.merged.total(), outcome.output.merged.dropped),
        (40_000_000, 0)
    );
    let outcome = run("echo begin; $H zeros 100000000; echo; echo end").await;
    let captured = &outcome.output.merged;
    assert_eq!(captured.total(), 100_000_011);
    assert!(captured.dropped > 0 && captured.head.starts_with(b"begin\n"));
    assert!(captured.tail.ends_with(b"\nend\n"));
}

#[tokio::test]
async fn the_last_byte_precedes_the_end() {
    let expect = numbers(20_000);
    for _ in 0..30 {
        check("$H count 20000; exit 3", 3, &expect).await;
    }
}

#[tokio::test]
async fn many_at_once() {
    let engine = engine();
    let runs: Vec<_> = (0..200)
        .map(|n| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let command = format!("echo {n}; exit {}", n % 256);
                (
                    n,
                    engine.exec(&command, RunOptions::default()).await.unwrap(),
                )
            })
        })
        .collect();
    for run in runs {
        let (n, outcome) = run.await.unwrap();
        assert_eq!(text(&outcome), format!("{n}\n"));
        assert_eq!(outcome.termination.exit_code(), Some(n % 256));
    }
}

#[tokio::test]
async fn started_commands_are_followed_fed_and_signaled() {
    use sandbox_engine::record::Piece;
    use sandbox_engine::{CommandState, InputError, InputMode, Signal, Termination};

    let engine = engine();
    let options = RunOptions {
        input: InputMode::Silent,
        output: OutputMode::Split,
        ..RunOptions::default()
    };
    let command = engine
        .start("echo ready; cat; echo end >&2; exit 3", options.clone())
        .await
        .unwrap();
    assert_eq!(command.state(), CommandState::Running);
    let mut follower = command.record().follow(0).unwrap();
    let Some(Piece::Data { bytes, .. }) = follower.next().await else {
        panic!("no output");
    };
    assert_eq!(bytes, "ready\n");
    let big = vec![b'\0'; 8 * 1024 * 1024];
    command.write_input(big.clone().into()).unwrap();
    command.close_input().unwrap();
    assert_eq!(command.write_input("x".into()), Err(InputError::Closed));
    let mut read = 0;
    while let Some(Piece::Data { bytes, .. }) = follower.next().await {
        read += bytes.len();
    }
    assert_eq!(read, big.len() + "end\n".len());
    assert_eq!(command.ended().await, Termination::Exited { code: 3 });
    assert_eq!(command.write_input("x".into()), Err(InputError::Ended));

    // What it does not read blocks nothing, and a closed end is reported.
    let sleep = unique_sleep();
    let command = engine
        .start(&format!("exec <&-; exec sleep {sleep}"), options)
        .await
        .unwrap();
    eventually("it runs", || pid_of(&sleep).is_some()).await;
    command.write_input(big.into()).unwrap();
    eventually("its input is closed", || {
        command.write_input("x".into()) == Err(InputError::Closed)
    })
    .await;
    command.signal(Signal::INT).await.unwrap();
    assert_eq!(command.ended().await.exit_code(), Some(130));
    assert!(command.signal(Signal::INT).await.is_err());

    let missing = RunOptions {
        cwd: Some("/nope-x".into()),
        ..RunOptions::default()
    };
    assert!(engine.start("true", missing).await.is_err());
}
