//! Streams of random bytes, byte for byte, over connections that are cut.

use std::sync::Arc;
use std::time::Duration;

use sandbox_process::Process;
use sandbox_tests::{Carrier, Sandbox, TOKEN};
use sandbox_transport::{
    CallOptions, Delivery, ErrorKind, ExecStreamRequest, KeyedRetries, LogEvent, LogOptions,
    LogSource, ProcessApi, SafeRetries, SessionExecuteRequest, limits,
};
use tokio::time::timeout;

use super::cases;
use super::cutter::{Cutter, Numbers};
use super::exec::command;
use super::transcript::{Joined, Transcript};

cases![
    random_output,
    a_log_that_is_cut,
    a_command_that_is_cut,
    a_keyed_command_that_is_cut,
];

/// Writes random bytes to both outputs at once.
const WRITE: &str = "cat err >&2 & cat out; wait";

/// Puts random bytes where [`WRITE`] finds them.
fn prepare(sandbox: &Sandbox, numbers: &mut Numbers, length: usize) -> [Vec<u8>; 2] {
    ["out", "err"].map(|name| {
        let length = length + usize::try_from(numbers.below(length as u64)).unwrap();
        let bytes = numbers.bytes(length);
        std::fs::write(sandbox.work_dir().join(name), &bytes).unwrap();
        bytes
    })
}

/// Runs [`WRITE`] in a session to its end.
async fn write(api: &Arc<dyn ProcessApi>) -> LogSource {
    api.create_session("s".into()).await.unwrap();
    let request = SessionExecuteRequest {
        run_async: true,
        ..SessionExecuteRequest::new(WRITE)
    };
    let id = api.session_execute("s", request).await.unwrap().command_id;
    let source = LogSource::command("s", id);
    let mut log = api
        .follow_log(source.clone(), LogOptions::new())
        .await
        .unwrap();
    while let Some(event) = log.next().await {
        event.unwrap();
    }
    source
}

async fn random_output(sandbox: &Sandbox, told: &mut Transcript) {
    let mut numbers = Numbers::of_now();
    let expect = prepare(sandbox, &mut numbers, 300_000);
    let request = ExecStreamRequest {
        request: command(WRITE),
        ..ExecStreamRequest::default()
    };
    let connection = sandbox.process.api().execute_stream(request).await;
    let mut events = connection.unwrap().events;
    let mut joined = Joined::default();
    let mut rest = Vec::new();
    while let Some(event) = events.next().await {
        rest.extend(joined.exec(event.unwrap()));
    }
    told.tell("equal", expect == [joined.stdout, joined.stderr]);
    told.tell("rest", rest);
}

async fn a_log_that_is_cut(sandbox: &Sandbox, told: &mut Transcript) {
    let mut numbers = Numbers::of_now();
    let expect = prepare(sandbox, &mut numbers, 600_000);
    let source = write(sandbox.process.api()).await;
    // A message of gRPC has 64 KiB, and connections that are cut within their first one are given up after half a minute.
    let cutter = Cutter::of(sandbox, numbers, 240_000).await;
    let api = cutter.process.api();
    // The first connection may end before the daemon's first word about it.
    let mut log = loop {
        match api.follow_log(source.clone(), LogOptions::new()).await {
            Ok(log) => break log,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
        }
    };
    let mut joined = Joined::default();
    let mut rest = Vec::new();
    while let Some(event) = timeout(PATIENCE, log.next()).await.unwrap() {
        rest.extend(joined.log(event.unwrap()));
    }
    assert!(cutter.cuts() >= 3, "{} cuts", cutter.cuts());
    told.tell("equal", expect == [joined.stdout, joined.stderr]);
    told.tell("rest", rest);
    sandbox.process.api().delete_session("s").await.unwrap();
}

/// A command that is followed on its own connection is not resumed: what is missing is reported.
async fn a_command_that_is_cut(sandbox: &Sandbox, told: &mut Transcript) {
    let mut numbers = Numbers::of_now();
    prepare(sandbox, &mut numbers, 300_000);
    let cutter = Cutter::of(sandbox, numbers, 100_000).await;
    let request = ExecStreamRequest {
        request: command(WRITE),
        ..ExecStreamRequest::default()
    };
    let connection = cutter.process.api().execute_stream(request).await;
    let mut events = connection.unwrap().events;
    let error = loop {
        match timeout(PATIENCE, events.next()).await.unwrap().unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    told.tell("cut", (error.kind(), error.delivery()));
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Closed, Delivery::Uncertain)
    );
    assert!(events.next().await.is_none());
    // A response that is cut is uncertain, too, and what was asked for is not done twice.
    let writing = "echo x >> written; cat out err";
    let error = cutter.process.exec(writing).await.unwrap_err();
    told.tell("answer", (error.kind(), error.delivery()));
    cutter.stop();
    let written = cutter.process.exec("wc -l < written").await.unwrap();
    told.tell("written", written.stdout);
}

/// One with a key is asked for again, and runs once.
async fn a_keyed_command_that_is_cut(sandbox: &Sandbox, told: &mut Transcript) {
    let mut numbers = Numbers::of_now();
    let expect = prepare(sandbox, &mut numbers, 300_000);
    let cutter = Cutter::of(sandbox, numbers, 100_000).await;
    let safe = SafeRetries {
        attempts: 8,
        pause: Duration::from_millis(50),
    };
    let options = CallOptions::new()
        .idempotency_key("cut")
        .retry(KeyedRetries { safe });
    let keyed = cutter.process.api().with_options(options);
    let stop = async {
        while cutter.cuts() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cutter.stop();
    };
    let writing = command("echo x >> keyed; cat out err");
    let (response, ()) = tokio::join!(keyed.execute(writing), stop);
    let whole = String::from_utf8_lossy(&expect.concat()).into_owned();
    told.tell("whole", response.unwrap().output.text() == whole);
    let written = cutter.process.exec("wc -l < keyed").await.unwrap();
    told.tell("written", written.stdout);
}

/// One log of one daemon, read over both of its carriers, is the same bytes at the same offsets.
#[tokio::test(flavor = "multi_thread")]
async fn one_log_is_the_same_over_both() {
    for (carrier, other) in [
        (Carrier::HttpTcp, Carrier::GrpcTcp),
        (Carrier::HttpUnix, Carrier::GrpcUnix),
    ] {
        let sandbox = Sandbox::over(carrier).await;
        let url = sandbox.url_over(other);
        let grpc = Process::builder(url).token(TOKEN).build().unwrap();
        let mut numbers = Numbers::of_now();
        prepare(&sandbox, &mut numbers, 200_000);
        let source = write(sandbox.process.api()).await;
        for offset in [0, 1, numbers.below(400_000)] {
            let options = LogOptions::new().offset(offset);
            let over_http = pieces(&sandbox.process, &source, options).await;
            let over_grpc = pieces(&grpc, &source, options).await;
            assert!(over_http == over_grpc, "offset {offset}");
        }
        sandbox.shutdown().await;
    }
}

/// A log without a reader waits at the daemon, and holds up nothing else on its connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_taken_waits() {
    let sandbox = Sandbox::over(Carrier::GrpcTcp).await;
    let mut numbers = Numbers::of_now();
    let expect = prepare(&sandbox, &mut numbers, 3 << 20);
    let source = write(sandbox.process.api()).await;
    let cutter = Cutter::of(&sandbox, numbers, 1).await;
    cutter.stop();
    let api = cutter.process.api();
    let mut log = api.follow_log(source, LogOptions::new()).await.unwrap();
    let window = u64::from(limits::CALL_WINDOW_BYTES);
    // It comes by itself as far as it may.
    timeout(PATIENCE, async {
        while cutter.brought() < window {
            api.version().await.unwrap();
        }
    })
    .await
    .unwrap();
    for _ in 0..20 {
        api.execute(command("true")).await.unwrap();
    }
    let brought = cutter.brought();
    assert!(brought < window + 512 * 1024, "{brought} bytes");

    let mut joined = Joined::default();
    while let Some(event) = log.next().await {
        assert_eq!(joined.log(event.unwrap()), None);
    }
    assert!(expect == [joined.stdout, joined.stderr]);
    sandbox.shutdown().await;
}

/// What a log holds: runs of one channel, with where they begin.
async fn pieces(
    process: &Process,
    source: &LogSource,
    options: LogOptions,
) -> Vec<(String, u64, Vec<u8>)> {
    let mut log = process
        .api()
        .follow_log(source.clone(), options)
        .await
        .unwrap();
    let mut pieces: Vec<(String, u64, Vec<u8>)> = Vec::new();
    while let Some(event) = log.next().await {
        let LogEvent::Output {
            channel,
            offset,
            bytes,
        } = event.unwrap()
        else {
            panic!("a gap");
        };
        let channel = channel.to_string();
        match pieces.last_mut() {
            Some((last, begin, data))
                if *last == channel && *begin + data.len() as u64 == offset =>
            {
                data.extend_from_slice(&bytes);
            }
            _ => pieces.push((channel, offset, bytes.to_vec())),
        }
    }
    pieces
}

/// Long for whatever a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
