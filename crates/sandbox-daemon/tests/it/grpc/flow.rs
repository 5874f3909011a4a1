//! A client that reads or writes too fast, or not at all, holds up no other client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use sandbox_daemon::Access;
use sandbox_daemon::limits::{H2_STREAM_WINDOW, H2_STREAMS};
use sandbox_engine::limits::PTY_INPUT_BYTES;
use sandbox_wire::pb::connect_pty_request::Message as Typed;
use sandbox_wire::pb::exec_request::Message;
use sandbox_wire::pb::exec_response::Event;
use sandbox_wire::pb::exec_start::Program;
use sandbox_wire::pb::pty_service_client::PtyServiceClient;
use sandbox_wire::pb::{
    ConnectPtyRequest, ExecAttach, ExecRequest, ExecResponse, ExecStart, GetInfoRequest, Input,
    KillPtyRequest, PtyCreate, RunOptions,
};
use tokio::time::{sleep, timeout};
use tonic::Streaming;

use super::{Channel, open};
use crate::client::TestServer;

fn start(text: &str, detach: bool) -> ExecRequest {
    let start = ExecStart {
        program: Some(Program::Command(text.to_owned())),
        options: Some(RunOptions {
            detach,
            ..RunOptions::default()
        }),
        ..ExecStart::default()
    };
    ExecRequest {
        message: Some(Message::Start(start)),
    }
}

async fn exec(channel: &Channel, first: ExecRequest) -> (Held, Streaming<ExecResponse>) {
    let (requests, stream) = open([first]);
    let events = channel.exec().exec(stream).await.unwrap().into_inner();
    (Held(requests), events)
}

/// Keeps the requests of a call open.
struct Held(#[expect(dead_code, reason = "held")] tokio::sync::mpsc::Sender<ExecRequest>);

async fn event(events: &mut Streaming<ExecResponse>) -> Event {
    events.message().await.unwrap().unwrap().event.unwrap()
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_up_neither_its_command_nor_others() {
    let server = TestServer::tcp(Access::Open).await;
    let channel = Channel::to(&server).await;
    let count = 48 * 1024 * 1024;
    let writer = format!("head -c {count} /dev/zero; touch written");
    let (_held, mut events) = exec(&channel, start(&writer, false)).await;
    let written = async {
        // Its command gets to its end, though nothing is read; others of the same connection are served meanwhile.
        loop {
            let look = "test -e written && echo yes; true";
            let (_held, mut events) = exec(&channel, start(look, false)).await;
            let mut told = Vec::new();
            while let Some(response) = events.message().await.unwrap() {
                if let Some(Event::Output(chunk)) = response.event {
                    told.extend_from_slice(&chunk.data);
                }
            }
            if told == b"yes\n" {
                break;
            }
        }
    };
    timeout(PATIENCE, written).await.unwrap();
    let mut read = 0;
    while let Some(response) = events.message().await.unwrap() {
        match response.event.unwrap() {
            Event::Output(chunk) => {
                assert_eq!(chunk.offset, read);
                assert!(chunk.data.iter().all(|byte| *byte == 0));
                read += chunk.data.len() as u64;
            }
            Event::Gap(gap) => panic!("{gap:?}"),
            _ => {}
        }
    }
    assert_eq!(read, count);
    server.end().await;
}

#[tokio::test]
async fn a_client_that_types_without_end_is_held_back_alone() {
    let server = TestServer::tcp(Access::Open).await;
    let channel = Channel::to(&server).await;
    let create = PtyCreate {
        pty_id: "p".to_owned(),
        ..PtyCreate::default()
    };
    let sent = Arc::new(AtomicUsize::new(0));
    let piece = 256 * 1024;
    let first = Typed::Create(create);
    // A program that reads nothing, and then more than it will ever be given.
    let busy = Typed::Input(Input {
        data: "exec sleep 1000\n".into(),
        ..Input::default()
    });
    let counter = Arc::clone(&sent);
    let flood = stream::repeat_with(move || {
        counter.fetch_add(piece, Ordering::Relaxed);
        Typed::Input(Input {
            data: vec![b'x'; piece].into(),
            ..Input::default()
        })
    });
    let messages = stream::iter([first, busy]).chain(flood);
    let mut ptys = PtyServiceClient::new(channel.clone());
    let mut screen = ptys
        .connect_pty(typed(messages))
        .await
        .unwrap()
        .into_inner();
    // It stands still when what waits is as much as may.
    let still = async {
        let mut before = usize::MAX;
        loop {
            let now = sent.load(Ordering::Relaxed);
            if now == before {
                break now;
            }
            before = now;
            sleep(Duration::from_millis(500)).await;
        }
    };
    let taken = timeout(PATIENCE, still).await.unwrap();
    let most = PTY_INPUT_BYTES + H2_STREAM_WINDOW as usize + 8 * piece;
    assert!(taken < most, "{taken} bytes were taken");
    channel
        .info()
        .get_info(GetInfoRequest::default())
        .await
        .unwrap();
    let kill = KillPtyRequest {
        pty_id: "p".to_owned(),
    };
    ptys.kill_pty(kill).await.unwrap();
    let end = async { while let Ok(Some(_)) = screen.message().await {} };
    timeout(PATIENCE, end).await.unwrap();
    server.end().await;
}

fn typed(
    messages: impl Stream<Item = Typed> + Send + 'static,
) -> impl Stream<Item = ConnectPtyRequest> + Send + 'static {
    messages.map(|message| ConnectPtyRequest {
        message: Some(message),
    })
}

#[tokio::test]
async fn streams_of_a_connection_are_bounded() {
    let server = TestServer::tcp(Access::Open).await;
    let channel = Channel::to(&server).await;
    let (held, mut events) = exec(&channel, start("sleep 1000", true)).await;
    let Event::Started(started) = event(&mut events).await else {
        panic!("not started");
    };
    let mut followers = vec![(held, events)];
    for _ in 1..H2_STREAMS {
        let attach = ExecAttach {
            exec_id: started.exec_id.clone(),
            offset: 0,
        };
        let request = ExecRequest {
            message: Some(Message::Attach(attach)),
        };
        let (held, mut events) = exec(&channel, request).await;
        assert!(matches!(event(&mut events).await, Event::Started(_)));
        followers.push((held, events));
    }
    // One more waits for its turn, and gets it.
    let mut info = channel.info();
    let mut waiting = std::pin::pin!(info.get_info(GetInfoRequest::default()));
    assert!(
        timeout(Duration::from_millis(300), waiting.as_mut())
            .await
            .is_err()
    );
    followers.pop();
    timeout(PATIENCE, waiting).await.unwrap().unwrap();
    // Another connection has its own.
    Channel::to(&server)
        .await
        .info()
        .get_info(GetInfoRequest::default())
        .await
        .unwrap();
    server.end().await;
}

const PATIENCE: Duration = Duration::from_secs(60);
