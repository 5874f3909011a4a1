//! The operations.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use sandbox_process::transport::{
    LogEvent, LogOptions, LogSource, PtyEvent, PtyRequest, SessionExecuteRequest,
};
use sandbox_process::{Language, Process};

use crate::bare;
use crate::measure::{Goal, Row, Samples, Unit, in_turns, repeat, time};

const ROUNDS: usize = 200;
const FEW: usize = 5;
const OUTPUT_BYTES: u64 = 64 << 20;
/// Less than a response has room for.
const RESPONSE_BYTES: u64 = 48 << 20;
/// Longer than a daemon prepares the next start of an interpreter.
const PAUSE: Duration = Duration::from_millis(400);

const SHELL: bare::Words<'_> = &["/bin/bash", "-c", "true"];

/// Returns an id that no other row has.
fn id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("bench-{}-{number}", std::process::id())
}

async fn exec(process: &Process) -> f64 {
    time(async {
        let outcome = process.exec("true").await.expect("an outcome");
        assert_eq!(outcome.exit_code(), Some(0));
    })
    .await
}

pub(crate) async fn commands(over: &str, process: &Process) -> Vec<Row> {
    let (bare, ours) = in_turns(
        ROUNDS,
        async || bare::spawn(SHELL),
        async || exec(process).await,
    )
    .await;
    let mut rows = vec![
        Row::new(format!("exec of `true`, {over}"), Unit::Time, ours)
            .limit("spawn and wait of the same shell", bare)
            .goal(Goal::Ratio(1.1)),
    ];
    for clients in [4, 16, 64] {
        let calls = 8;
        let bare = async || {
            let started = Instant::now();
            let spawns = (0..clients).map(|_| {
                tokio::task::spawn_blocking(move || {
                    for _ in 0..calls {
                        bare::spawn(SHELL);
                    }
                })
            });
            join_all(spawns).await;
            per_second(clients * calls, started)
        };
        let ours = async || {
            let started = Instant::now();
            join_all((0..clients).map(async |_| {
                for _ in 0..calls {
                    exec(process).await;
                }
            }))
            .await;
            per_second(clients * calls, started)
        };
        let (bare, ours) = in_turns(FEW, bare, ours).await;
        rows.push(
            Row::new(
                format!("exec by {clients} clients, {over}"),
                Unit::Calls,
                ours,
            )
            .limit("as many threads that spawn", bare)
            .goal(Goal::Ratio(0.8)),
        );
    }
    rows
}

fn per_second(count: u32, since: Instant) -> f64 {
    f64::from(count) / since.elapsed().as_secs_f64()
}

pub(crate) async fn outputs(over: &str, process: &Process) -> Vec<Row> {
    let text = format!("head -c {RESPONSE_BYTES} /dev/zero | tr '\\0' x");
    let words = ["/bin/bash", "-c", &text];
    let whole = async || {
        let started = Instant::now();
        let outcome = process.exec(&text).await.expect("an outcome");
        assert_eq!(outcome.stdout.len() as u64, RESPONSE_BYTES);
        bare::rate(RESPONSE_BYTES, started)
    };
    let (limit, ours) = in_turns(FEW, async || bare::collect(&words, RESPONSE_BYTES), whole).await;
    vec![
        Row::new(
            format!("48 MiB of output in one response, {over}"),
            Unit::Bytes,
            ours,
        )
        .limit("a pipe into memory", limit)
        .goal(Goal::Ratio(1.0 / 1.5)),
    ]
}

pub(crate) async fn sessions(process: &Process) -> Vec<Row> {
    let session = process.create_session(id()).await.expect("a session");
    let run = async |command: &str| {
        let run = session.run(command);
        time(async {
            run.await.expect("an outcome");
        })
        .await
    };
    let version = async || round_trip(process).await;
    let (trip, builtin) = in_turns(ROUNDS, version, async || run(":").await).await;
    let spawn = async || round_trip(process).await + bare::spawn(&["/bin/true"]);
    let (spawned, program) = in_turns(ROUNDS, spawn, async || run("/bin/true").await).await;
    session.delete().await.expect("its end");

    let (mut created, mut deleted, mut bare) =
        (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..ROUNDS / 4 {
        bare.add(bare::spawn(&["/bin/bash", "-c", ":"]));
        let id = id();
        let started = Instant::now();
        let session = process
            .create_session(id.as_str())
            .await
            .expect("a session");
        created.add(started.elapsed().as_secs_f64());
        session.run(":").await.expect("an outcome");
        let started = Instant::now();
        session.delete().await.expect("its end");
        deleted.add(started.elapsed().as_secs_f64());
    }
    vec![
        Row::new("session command `:`", Unit::Time, builtin)
            .limit("round trip of `/version`", trip)
            .goal(Goal::Ratio(2.0)),
        Row::new("session command `/bin/true`", Unit::Time, program)
            .limit("that round trip, and a spawn", spawned)
            .goal(Goal::Ratio(1.3)),
        Row::new("session, create", Unit::Time, created)
            .limit("bare start of the shell", bare)
            .goal(Goal::Ratio(1.5)),
        Row::new("session, delete", Unit::Time, deleted)
            .goal(Goal::Within(Duration::from_micros(1500))),
    ]
}

async fn round_trip(process: &Process) -> f64 {
    time(async {
        process.version().await.expect("a version");
    })
    .await
}

pub(crate) async fn logs(process: &Process) -> Vec<Row> {
    let id = id();
    let session = process
        .create_session(id.as_str())
        .await
        .expect("a session");
    let start = async |command: String| {
        let request = SessionExecuteRequest {
            run_async: true,
            ..SessionExecuteRequest::new(command)
        };
        let started = process.api().session_execute(&id, request).await;
        LogSource::command(&*id, started.expect("a command").command_id)
    };
    // The last byte, until its end is known.
    let end = repeat(ROUNDS / 4, async || {
        let source = start("echo now; sleep 0.01".to_owned()).await;
        let mut last = Instant::now();
        follow(process, source, |_| last = Instant::now()).await;
        // The sleep is the command's.
        (last.elapsed().as_secs_f64() - 0.01).max(0.0)
    })
    .await;
    let source = start("echo small".to_owned()).await;
    follow(process, source.clone(), |_| {}).await;
    let (trip, small) = in_turns(
        ROUNDS,
        async || round_trip(process).await,
        async || {
            time(async {
                process.api().logs(source.clone()).await.expect("a log");
            })
            .await
        },
    )
    .await;
    let text = format!("head -c {OUTPUT_BYTES} /dev/zero");
    let words = ["/bin/bash", "-c", &text];
    let followed = async || {
        let source = start(text.clone()).await;
        let started = Instant::now();
        let mut length = 0;
        follow(process, source, |bytes| length += bytes).await;
        assert_eq!(length, OUTPUT_BYTES);
        bare::rate(OUTPUT_BYTES, started)
    };
    let socket = async || bare::through_a_socket(&words, OUTPUT_BYTES);
    let (limit, followed) = in_turns(FEW, socket, followed).await;
    session.delete().await.expect("its end");
    vec![
        Row::new(
            "log, followed: last byte to the end, less 10 ms",
            Unit::Time,
            end,
        )
        .goal(Goal::Within(Duration::from_millis(2))),
        Row::new("log of one line, read", Unit::Time, small)
            .limit("round trip of `/version`", trip)
            .goal(Goal::Ratio(1.5)),
        Row::new(
            "log of 64 MiB, followed from its start",
            Unit::Bytes,
            followed,
        )
        .limit("a pipe, then a loopback socket", limit)
        .goal(Goal::Ratio(0.8)),
    ]
}

async fn follow(process: &Process, source: LogSource, mut take: impl FnMut(u64)) {
    let log = process.api().follow_log(source, LogOptions::new()).await;
    let mut log = log.expect("a log");
    while let Some(event) = log.next().await {
        if let LogEvent::Output { bytes, .. } = event.expect("output") {
            take(bytes.len() as u64);
        }
    }
}

pub(crate) async fn terminals(process: &Process) -> Vec<Row> {
    let request = PtyRequest {
        id: id(),
        env: [("HOME".to_owned(), "/no/home".to_owned())].into(),
        ..PtyRequest::default()
    };
    let name = request.id.clone();
    let mut terminal = process.api().open_pty(request).await.expect("a terminal");
    let echo = {
        let control = Arc::clone(&terminal.control);
        let mut shown = async |text: &[u8]| {
            let mut seen = Vec::new();
            while !seen.windows(text.len()).any(|found| found == text) {
                match terminal.events.next().await {
                    Some(Ok(PtyEvent::Output { bytes })) => seen.extend_from_slice(&bytes),
                    Some(Ok(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        // The echo of the kernel, without a shell after it.
        let quiet = "cat > /dev/null; echo\n";
        control.write(quiet.into()).await.expect("room");
        shown(b"echo\r\n").await;
        tokio::time::sleep(PAUSE).await;
        let mut key = b'a';
        repeat(ROUNDS, async || {
            key = if key == b'z' { b'a' } else { key + 1 };
            let typed = Bytes::copy_from_slice(&[key]);
            time(async {
                control.write(typed).await.expect("room");
                shown(&[key]).await;
            })
            .await
        })
        .await
    };
    process.api().delete_pty(&name).await.expect("its end");
    vec![Row::new("terminal: a key and its echo", Unit::Time, echo)]
}

pub(crate) async fn programs(process: &Process) -> Vec<Row> {
    let python = sandbox_tests::python().unwrap_or_else(|| "python3".into());
    let python = python.to_str().expect("a printable path").to_owned();
    let chart = include_str!("../../../xtask/assets/line_chart.py");
    let run = async |code: &str, language| {
        let run = process.code_run(code).language(language);
        time(async {
            let outcome = run.await.expect("an outcome");
            assert_eq!(outcome.exit_code(), Some(0), "{}", outcome.stderr_lossy());
        })
        .await
    };
    let javascript = "console.log(1)";
    let typescript = "const n: number = 1; console.log(n)";
    let mut rows = Vec::new();
    for (name, code, language, limit, bare, goal, rounds) in [
        (
            "Python, `print(1)`",
            "print(1)",
            Language::Python,
            "`python3 -c`",
            vec![&*python, "-c", "print(1)"],
            0.3,
            40,
        ),
        (
            "Python, a line chart",
            chart,
            Language::Python,
            "`python3 -c`, without the chart",
            vec![&*python, "-c", chart],
            0.25,
            FEW,
        ),
        (
            "JavaScript, `console.log(1)`",
            javascript,
            Language::JavaScript,
            "`node -e`",
            vec!["node", "-e", javascript],
            0.3,
            20,
        ),
        (
            "TypeScript, `console.log(n)`",
            typescript,
            Language::TypeScript,
            "`node -e` of its JavaScript",
            vec!["node", "-e", javascript],
            0.3,
            20,
        ),
    ] {
        run(code, language).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (limit_samples, ours) = in_turns(
            rounds,
            async || bare::spawn(&bare),
            async || run(code, language).await,
        )
        .await;
        rows.push(
            Row::new(name, Unit::Time, ours)
                .limit(limit, limit_samples)
                .goal(Goal::Ratio(goal)),
        );
    }
    rows
}

pub(crate) async fn contexts(process: &Process) -> Vec<Row> {
    let python = sandbox_tests::python().unwrap_or_else(|| "python3".into());
    let python = python.to_str().expect("a printable path").to_owned();
    let (mut created, mut bare) = (Samples::default(), Samples::default());
    for _ in 0..ROUNDS / 10 {
        bare.add(bare::spawn(&[&python, "-c", ""]));
        let started = Instant::now();
        let context = process.create_context(Language::Python).await;
        created.add(started.elapsed().as_secs_f64());
        context.expect("a context").delete().await.expect("its end");
    }
    let context = process.create_context(Language::Python).await;
    let context = context.expect("a context");
    let called = repeat(ROUNDS, async || {
        let run = context.run("1");
        time(async {
            run.await.expect("an outcome");
        })
        .await
    })
    .await;
    context.delete().await.expect("its end");
    vec![
        Row::new("interpreter context, create", Unit::Time, created)
            .limit("bare start of Python", bare)
            .goal(Goal::Ratio(0.3)),
        Row::new("interpreter context, call", Unit::Time, called),
    ]
}

/// Files of the daemon's own machine.
pub(crate) async fn files(process: &Process, work_dir: &Path) -> Vec<Row> {
    const BYTES: u64 = 256 << 20;
    let path = work_dir.join("big");
    let length = usize::try_from(BYTES).expect("a length of this machine");
    std::fs::write(&path, vec![b'x'; length]).expect("a file");
    let text = path.to_str().expect("a printable path").to_owned();
    let words = ["cat", &text];
    let socket = async || bare::through_a_socket(&words, BYTES);
    let files = process.files();
    let download = async || {
        let started = Instant::now();
        let mut reader = files.reader(&path).await.expect("a file");
        let mut sink = tokio::io::sink();
        let read = tokio::io::copy_buf(&mut reader, &mut sink);
        assert_eq!(read.await.expect("bytes"), BYTES);
        bare::rate(BYTES, started)
    };
    let (limit, down) = in_turns(FEW, socket, download).await;
    let socket = async || bare::through_a_socket(&words, BYTES);
    let upload = async || {
        let started = Instant::now();
        files
            .upload(&path, work_dir.join("copy"))
            .await
            .expect("an upload");
        bare::rate(BYTES, started)
    };
    let (up_limit, up) = in_turns(FEW, socket, upload).await;
    let what = "`cat` through a loopback socket";
    vec![
        Row::new("file of 256 MiB, download", Unit::Bytes, down)
            .limit(what, limit)
            .goal(Goal::Ratio(0.7)),
        Row::new("file of 256 MiB, upload", Unit::Bytes, up)
            .limit(what, up_limit)
            .goal(Goal::Ratio(0.7)),
    ]
}
