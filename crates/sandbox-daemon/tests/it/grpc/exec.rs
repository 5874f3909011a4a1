//! Commands, both ways on one call.

use std::path::Path;
use std::time::Duration;

use sandbox_wire::pb::exec_request::Message;
use sandbox_wire::pb::exec_response::Event;
use sandbox_wire::pb::exec_start::{Argv, Program};
use sandbox_wire::pb::termination::{Cause, Exited, Signaled, SpawnFailed, spawn_failed};
use sandbox_wire::pb::{
    Channel as Output, Ended, ExecAttach, ExecInfo, ExecRequest, ExecStart, ExecStarted,
    GetExecRequest, Input, ListExecsRequest, OutputMode, RunOptions, SendExecInputRequest, Signal,
    SignalExecRequest, TerminalSize,
};
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};
use tonic::{Code, Request, Status, Streaming};

use super::{Channel, open, refusal};
use crate::client::TestServer;
use sandbox_daemon::Access;

/// A call under way.
struct Call {
    requests: Sender<ExecRequest>,
    events: Streaming<sandbox_wire::pb::ExecResponse>,
    started: ExecStarted,
}

/// What a call reported up to its end.
#[derive(Debug, Default)]
struct Told {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    refused: Vec<String>,
    ended: Ended,
}

impl Told {
    fn cause(&self) -> Cause {
        let termination = self.ended.termination.as_ref().unwrap();
        termination.cause.clone().unwrap()
    }
}

impl Call {
    async fn begin(channel: &Channel, first: Message) -> Result<Self, Status> {
        let (requests, stream) = open([request(first)]);
        let mut events = channel.exec().exec(stream).await?.into_inner();
        match events.message().await?.and_then(|response| response.event) {
            Some(Event::Started(started)) => Ok(Self {
                requests,
                events,
                started,
            }),
            other => panic!("the first message is {other:?}"),
        }
    }

    async fn send(&self, message: Message) {
        self.requests.send(request(message)).await.unwrap();
    }

    /// Reads to the end, and holds the offsets to what they mean.
    async fn finish(mut self, from: u64) -> Result<Told, Status> {
        let mut told = Told::default();
        let mut position = from;
        loop {
            let response = timeout(PATIENCE, self.events.message()).await.unwrap()?;
            match response.unwrap().event.unwrap() {
                Event::Output(chunk) => {
                    assert_eq!(chunk.offset, position);
                    assert!(!chunk.data.is_empty() && chunk.data.len() <= 64 * 1024);
                    position += chunk.data.len() as u64;
                    match chunk.channel() {
                        Output::Stderr => told.stderr.extend_from_slice(&chunk.data),
                        _ => told.stdout.extend_from_slice(&chunk.data),
                    }
                }
                Event::Refused(refused) => told.refused.push(refused.code),
                Event::Ended(ended) => {
                    assert_eq!(ended.end_offset, position);
                    assert!(self.events.message().await.unwrap().is_none());
                    told.ended = ended;
                    return Ok(told);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn request(message: Message) -> ExecRequest {
    ExecRequest {
        message: Some(message),
    }
}

fn command(text: &str) -> ExecStart {
    ExecStart {
        program: Some(Program::Command(text.to_owned())),
        ..ExecStart::default()
    }
}

fn program(words: &[&str]) -> ExecStart {
    let args = words.iter().map(|word| (*word).to_owned()).collect();
    ExecStart {
        program: Some(Program::Argv(Argv { args })),
        ..ExecStart::default()
    }
}

fn input(data: &'static [u8], offset: Option<u64>, eof: bool) -> Message {
    Message::Input(Input {
        data: data.into(),
        offset,
        eof,
    })
}

fn exited(code: i32) -> Cause {
    Cause::Exited(Exited { code })
}

fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

async fn gone(pid: u32) {
    let ended = async {
        while lives(pid) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, ended).await.unwrap();
}

async fn server() -> (TestServer, Channel) {
    let server = TestServer::unix(Access::Open).await;
    let channel = Channel::to(&server).await;
    (server, channel)
}

#[tokio::test]
async fn a_command_gets_input_and_reports_its_pid() {
    let (server, channel) = server().await;
    let start = command("echo $$; cat >&2; exit 3");
    let call = Call::begin(&channel, Message::Start(start)).await.unwrap();
    let pid = call.started.pid;
    assert!(pid > 1 && !call.started.resumed && !call.started.exec_id.is_empty());
    call.send(input(b"two ", None, false)).await;
    // Sent again, as after a cut, and read once.
    call.send(input(b"two words", Some(0), false)).await;
    call.send(input(b"\n", None, true)).await;
    let told = call.finish(0).await.unwrap();
    assert_eq!(told.stdout, format!("{pid}\n").as_bytes());
    assert_eq!(told.stderr, b"two words\n");
    assert_eq!(told.cause(), exited(3));
    assert!(told.refused.is_empty());
    server.end().await;
}

#[tokio::test]
async fn the_end_of_the_requests_is_the_end_of_the_input() {
    let (server, channel) = server().await;
    let call = Call::begin(&channel, Message::Start(command("wc -c")))
        .await
        .unwrap();
    call.send(input(b"12345", None, false)).await;
    let Call {
        requests,
        events,
        started,
    } = call;
    drop(requests);
    let (requests, _unused) = open([]);
    let call = Call {
        requests,
        events,
        started,
    };
    assert_eq!(call.finish(0).await.unwrap().stdout, b"5\n");
    server.end().await;
}

/// More than may wait, for a command that reads late: the client waits, and nothing is lost.
#[tokio::test]
async fn input_that_is_faster_than_the_command_waits() {
    let (server, channel) = server().await;
    let call = Call::begin(&channel, Message::Start(command("sleep 0.5; wc -c")))
        .await
        .unwrap();
    let requests = call.requests.clone();
    let feed = tokio::spawn(async move {
        for index in 0..80 {
            let data = vec![b'x'; 1024 * 1024].into();
            let eof = index == 79;
            let input = Input {
                data,
                eof,
                ..Input::default()
            };
            requests.send(request(Message::Input(input))).await.unwrap();
        }
    });
    let told = call.finish(0).await.unwrap();
    assert_eq!(told.stdout, format!("{}\n", 80 * 1024 * 1024).as_bytes());
    assert!(told.refused.is_empty(), "{:?}", told.refused);
    feed.await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn a_program_needs_no_shell() {
    let (server, channel) = server().await;
    let words = ["printf", "%s|", "a b", "$HOME", "*", "'", ""];
    let call = Call::begin(&channel, Message::Start(program(&words)))
        .await
        .unwrap();
    let told = call.finish(0).await.unwrap();
    assert_eq!(told.stdout, b"a b|$HOME|*|'||");
    assert_eq!(told.cause(), exited(0));

    let (_requests, stream) = open([request(Message::Start(program(&["no-such-program"])))]);
    let mut events = channel.exec().exec(stream).await.unwrap().into_inner();
    let event = events.message().await.unwrap().unwrap().event.unwrap();
    let Event::Ended(ended) = event else {
        panic!("{event:?}")
    };
    let Some(Cause::SpawnFailed(SpawnFailed {
        reason, message, ..
    })) = ended.termination.unwrap().cause
    else {
        panic!("it was started");
    };
    assert_eq!(reason, i32::from(spawn_failed::Reason::NotFound));
    assert!(message.contains("no-such-program"), "{message}");
    server.end().await;
}

#[tokio::test]
async fn what_is_refused_leaves_the_call_going() {
    let (server, channel) = server().await;
    let call = Call::begin(&channel, Message::Start(command("cat")))
        .await
        .unwrap();
    call.send(Message::Resize(TerminalSize { cols: 80, rows: 24 }))
        .await;
    call.send(Message::Signal(Signal {
        number: 99,
        target: 0,
    }))
    .await;
    call.send(Message::Start(command("true"))).await;
    call.send(input(b"late", Some(7), false)).await;
    call.send(input(b"fed", None, true)).await;
    call.send(input(b"more", None, false)).await;
    let told = call.finish(0).await.unwrap();
    assert_eq!(told.stdout, b"fed");
    // The last one may come when the command has ended.
    let expect = ["CONFLICT", "BAD_REQUEST", "BAD_REQUEST", "CONFLICT"];
    assert_eq!(told.refused[..4], expect);
    server.end().await;
}

#[tokio::test]
async fn a_call_takes_its_command_along_unless_that_is_detached() {
    let (server, channel) = server().await;
    let endless = || command("echo begun; sleep 1000 & wait");
    let call = Call::begin(&channel, Message::Start(endless()))
        .await
        .unwrap();
    let pid = call.started.pid;
    assert!(lives(pid));
    drop(call);
    gone(pid).await;

    let detached = ExecStart {
        options: Some(RunOptions {
            detach: true,
            ..RunOptions::default()
        }),
        ..endless()
    };
    let call = Call::begin(&channel, Message::Start(detached))
        .await
        .unwrap();
    let ExecStarted { pid, exec_id, .. } = call.started.clone();
    let mut call = call;
    // It has written, so there is something to go on after.
    let event = call.events.message().await.unwrap().unwrap().event;
    assert!(matches!(event, Some(Event::Output(_))), "{event:?}");
    drop(call);
    // Another connection, when the daemon has noticed that the first one is over.
    drop(channel);
    let channel = Channel::to(&server).await;
    let attach = ExecAttach {
        exec_id: exec_id.clone(),
        offset: 3,
    };
    let call = Call::begin(&channel, Message::Attach(attach))
        .await
        .unwrap();
    assert!(call.started.resumed);
    assert_eq!(call.started.pid, pid);
    let get = GetExecRequest {
        exec_id: exec_id.clone(),
    };
    let info = channel
        .exec()
        .get_exec(get)
        .await
        .unwrap()
        .into_inner()
        .exec
        .unwrap();
    assert!(info.termination.is_none() && info.detached && info.pid == pid);
    assert!(info.description.starts_with("echo begun"));
    let signal = SignalExecRequest {
        exec_id: exec_id.clone(),
        signal: Some(Signal {
            number: 15,
            target: 0,
        }),
    };
    channel.exec().signal_exec(signal).await.unwrap();
    let told = call.finish(3).await.unwrap();
    assert_eq!(told.stdout, b"un\n");
    assert_eq!(
        told.cause(),
        Cause::Signaled(Signaled {
            signal: 15,
            core_dumped: false
        })
    );
    gone(pid).await;
    let list = channel
        .exec()
        .list_execs(ListExecsRequest {})
        .await
        .unwrap()
        .into_inner();
    let is_it = |exec: &&ExecInfo| exec.exec_id == exec_id;
    assert!(list.execs.iter().find(is_it).unwrap().termination.is_some());
    server.end().await;
}

#[tokio::test]
async fn a_deadline_ends_the_call_and_its_command() {
    let (server, channel) = server().await;
    let (_requests, stream) = open([request(Message::Start(command("echo $$; sleep 1000")))]);
    let mut call = Request::new(stream);
    call.set_timeout(Duration::from_secs(3));
    let mut events = channel.exec().exec(call).await.unwrap().into_inner();
    let mut pid = 0;
    let status = loop {
        match events.message().await {
            Ok(Some(response)) => {
                if let Some(Event::Started(started)) = response.event {
                    pid = started.pid;
                }
            }
            Ok(None) => panic!("no status"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
    gone(pid).await;
    server.end().await;
}

#[tokio::test]
async fn a_time_limit_is_a_result() {
    let (server, channel) = server().await;
    let limit = Duration::from_secs(3);
    let start = ExecStart {
        options: Some(RunOptions {
            timeout: Some(limit.try_into().unwrap()),
            ..RunOptions::default()
        }),
        ..command("echo before; sleep 1000")
    };
    let call = Call::begin(&channel, Message::Start(start)).await.unwrap();
    let told = call.finish(0).await.unwrap();
    assert_eq!(told.stdout, b"before\n");
    assert!(matches!(told.cause(), Cause::TimedOut(_)), "{told:?}");
    server.end().await;
}

#[tokio::test]
async fn a_key_starts_one_command() {
    let (server, channel) = server().await;
    let keyed = |text: &str| ExecStart {
        options: Some(RunOptions {
            idempotency_key: "key".to_owned(),
            detach: true,
            ..RunOptions::default()
        }),
        ..command(text)
    };
    let text = "echo x >> count; cat count";
    let calls = [(); 8].map(|()| Call::begin(&channel, Message::Start(keyed(text))));
    let mut ids = Vec::new();
    let mut begun = 0;
    for call in futures_util::future::join_all(calls).await {
        let call = call.unwrap();
        ids.push(call.started.exec_id.clone());
        begun += usize::from(!call.started.resumed);
        assert_eq!(call.finish(0).await.unwrap().stdout, b"x\n");
    }
    ids.dedup();
    assert_eq!((ids.len(), begun), (1, 1));
    // The rest of what a first call has read a part of.
    let rest = ExecStart {
        offset: 1,
        ..keyed(text)
    };
    let call = Call::begin(&channel, Message::Start(rest)).await.unwrap();
    assert_eq!(call.finish(1).await.unwrap().stdout, b"\n");
    let other = Call::begin(&channel, Message::Start(keyed("true"))).await;
    assert_eq!(refusal(&other.err().unwrap()), (6, "CONFLICT"));
    server.end().await;
}

#[tokio::test]
async fn a_key_starts_one_command_over_both_protocols() {
    let (server, channel) = server().await;
    let over_grpc = async |key: &str, text: &str| {
        let start = ExecStart {
            options: Some(RunOptions {
                idempotency_key: key.to_owned(),
                detach: true,
                ..RunOptions::default()
            }),
            output_mode: OutputMode::Combined.into(),
            empty_input: true,
            ..command(text)
        };
        Call::begin(&channel, Message::Start(start)).await
    };
    let over_http = async |key: &str, text: &str| {
        let body = json!({ "command": text });
        let headers = [("Idempotency-Key", key)];
        server.post("/process/execute", &headers, body).await
    };
    let first = over_http("a", "echo x >> a; cat a").await;
    assert_eq!(first.json()["result"], "x\n");
    let call = over_grpc("a", "echo x >> a; cat a").await.unwrap();
    assert!(call.started.resumed);
    assert_eq!(call.finish(0).await.unwrap().stdout, b"x\n");
    let other = over_grpc("a", "true").await;
    assert_eq!(refusal(&other.err().unwrap()), (6, "CONFLICT"));

    let call = over_grpc("b", "echo x >> b; cat b").await.unwrap();
    assert!(!call.started.resumed);
    call.finish(0).await.unwrap();
    let again = over_http("b", "echo x >> b; cat b").await;
    assert_eq!(again.json()["result"], "x\n");
    over_grpc("c", "true").await.unwrap();
    over_http("c", "false").await.expect_error(409, "CONFLICT");
    server.end().await;
}

/// What a background child writes after the end of its command is in its record, and in no response.
#[tokio::test]
async fn a_response_to_a_key_has_what_its_command_wrote() {
    let (server, channel) = server().await;
    let text = "(read line < fifo; echo late; echo late >&2; echo > done) & echo early";
    let made = server
        .post(
            "/process/execute",
            &[],
            json!({ "command": "mkfifo fifo done" }),
        )
        .await;
    assert_eq!(made.json()["exitCode"], 0);
    let start = ExecStart {
        options: Some(RunOptions {
            idempotency_key: "key".to_owned(),
            detach: true,
            ..RunOptions::default()
        }),
        output_mode: OutputMode::Split.into(),
        empty_input: true,
        ..command(text)
    };
    let call = Call::begin(&channel, Message::Start(start)).await.unwrap();
    let exec_id = call.started.exec_id.clone();
    assert_eq!(call.finish(0).await.unwrap().stdout, b"early\n");
    let wake = json!({ "command": "echo > fifo; read line < done" });
    server.post("/process/execute", &[], wake).await;
    let length = async || {
        let exec_id = exec_id.clone();
        let exec = channel.exec().get_exec(GetExecRequest { exec_id }).await;
        exec.unwrap().into_inner().exec.unwrap().end_offset
    };
    let appended = async {
        while length().await < "early\nlate\nlate\n".len() as u64 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, appended).await.unwrap();
    let body = json!({ "command": text, "splitOutput": true });
    let answer = server
        .post("/process/execute", &[("Idempotency-Key", "key")], body)
        .await
        .json();
    assert_eq!(answer["stdout"], "early\n", "{answer}");
    assert_eq!(answer["stderr"], "", "{answer}");
    assert_eq!(answer["result"], "early\n", "{answer}");
    server.end().await;
}

#[tokio::test]
async fn errors_carry_the_code_table() {
    let (server, channel) = server().await;
    let call = Call::begin(&channel, Message::Start(command("echo ok")))
        .await
        .unwrap();
    let exec_id = call.started.exec_id.clone();
    call.finish(0).await.unwrap();
    let cwd = RunOptions {
        envs: [("1=".to_owned(), String::new())].into(),
        ..RunOptions::default()
    };
    let bad_name = ExecStart {
        options: Some(cwd),
        ..command("true")
    };
    let negative = RunOptions {
        timeout: Some(prost_types::Duration {
            seconds: -1,
            nanos: 0,
        }),
        ..RunOptions::default()
    };
    let negative = ExecStart {
        options: Some(negative),
        ..command("true")
    };
    let attach = |exec_id: &str, offset| {
        Message::Attach(ExecAttach {
            exec_id: exec_id.to_owned(),
            offset,
        })
    };
    let terminal = ExecStart {
        terminal: Some(TerminalSize {
            cols: 1001,
            rows: 24,
        }),
        ..command("true")
    };
    for (message, expect) in [
        (Message::Start(command("  ")), (3, "BAD_REQUEST")),
        (Message::Start(ExecStart::default()), (3, "BAD_REQUEST")),
        (Message::Start(program(&[])), (3, "BAD_REQUEST")),
        (Message::Start(bad_name), (3, "BAD_REQUEST")),
        (Message::Start(negative), (3, "BAD_REQUEST")),
        (Message::Start(terminal), (3, "BAD_REQUEST")),
        (input(b"first", None, false), (3, "BAD_REQUEST")),
        (attach("nobody", 0), (5, "PROCESS_NOT_FOUND")),
        (attach(&exec_id, 4), (11, "RANGE_NOT_SATISFIABLE")),
    ] {
        let told = format!("{message:?}");
        let status = Call::begin(&channel, message).await.err().unwrap();
        assert_eq!(refusal(&status), expect, "{told}: {status:?}");
        assert!(!status.message().is_empty());
    }
    let give = SendExecInputRequest {
        exec_id,
        input: Some(Input {
            data: "late".into(),
            ..Input::default()
        }),
    };
    let status = channel.exec().send_exec_input(give).await.unwrap_err();
    assert_eq!(refusal(&status), (9, "COMMAND_ALREADY_COMPLETED"));
    server.end().await;
}

/// The command goes on, its input open, and is found by its id.
#[tokio::test]
async fn a_call_ends_at_its_soft_limit() {
    let (server, channel) = server().await;
    let soft = |detach, nanos| ExecStart {
        soft_timeout: Some(prost_types::Duration { seconds: 0, nanos }),
        options: Some(RunOptions {
            detach,
            ..RunOptions::default()
        }),
        ..command("echo begin; read line; echo $line")
    };
    for (detach, nanos) in [(false, 1), (true, -1)] {
        let (_requests, stream) = open([request(Message::Start(soft(detach, nanos)))]);
        let status = channel.exec().exec(stream).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    }
    let start = Message::Start(soft(true, 900_000_000));
    let mut call = Call::begin(&channel, start).await.unwrap();
    let id = call.started.exec_id.clone();
    let mut offset = 0;
    loop {
        let event = call.events.message().await.unwrap().unwrap().event.unwrap();
        match event {
            Event::Output(chunk) => offset += chunk.data.len() as u64,
            Event::StillRunning(running) => {
                assert_eq!((&running.exec_id, running.end_offset), (&id, offset));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(call.events.message().await.unwrap().is_none());
    drop(call);
    let attach = Message::Attach(ExecAttach {
        exec_id: id,
        offset,
    });
    let call = Call::begin(&channel, attach).await.unwrap();
    assert!(call.started.resumed);
    call.send(input(b"more\n", None, true)).await;
    let told = call.finish(offset).await.unwrap();
    assert!(told.stdout.ends_with(b"more\n"), "{told:?}");
    assert_eq!(told.cause(), Cause::Exited(Exited { code: 0 }));
    server.end().await;
}

#[tokio::test]
async fn commands_that_ended_first_are_forgotten() {
    let (server, channel) = server().await;
    let keyed = |key: &str| {
        Message::Start(ExecStart {
            options: Some(RunOptions {
                idempotency_key: key.to_owned(),
                ..RunOptions::default()
            }),
            ..program(&["true"])
        })
    };
    let mut ids = Vec::new();
    for number in 0..sandbox_daemon::limits::RETAINED_EXECS + 2 {
        let key = if number == 0 { "first" } else { "" };
        let call = Call::begin(&channel, keyed(key)).await.unwrap();
        ids.push(call.started.exec_id.clone());
        call.finish(0).await.unwrap();
    }
    let list = channel
        .exec()
        .list_execs(ListExecsRequest {})
        .await
        .unwrap()
        .into_inner();
    let kept: Vec<_> = list.execs.iter().map(|exec| &exec.exec_id).collect();
    // The newest may have ended or not when it was put on the list.
    let forgotten = ids.len() - kept.len();
    assert!((1..=2).contains(&forgotten), "{forgotten}");
    assert_eq!(kept, ids[forgotten..].iter().collect::<Vec<_>>());
    let get = GetExecRequest {
        exec_id: ids.swap_remove(0),
    };
    let status = channel.exec().get_exec(get).await.unwrap_err();
    assert_eq!(refusal(&status), (5, "PROCESS_NOT_FOUND"));
    // Its request is not carried out a second time.
    let status = Call::begin(&channel, keyed("first")).await.err().unwrap();
    assert_eq!(refusal(&status), (9, "GONE"));
    server.end().await;
}

const PATIENCE: Duration = Duration::from_secs(60);
