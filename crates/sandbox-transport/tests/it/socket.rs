//! WebSockets: pings, bounds, cancellation, closing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sandbox_logcodec::Channel;
use sandbox_logcodec::frame::Writer;
use sandbox_transport::limits::{PING_INTERVAL, STREAM_BUFFER_BYTES};
use sandbox_transport::{
    Delivery, ErrorKind, ExecEvent, ExecStreamRequest, HttpTransport, LogEvent, LogOptions,
    LogSource, LogStream, ProcessApi, PtySize, Signal,
};
use sandbox_wire::ws::ExecServerMessage;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::fake::{Manual, Web, accept, close, kinds};

const FRAMES: Option<&str> = Some("sandbox.log.v1");

/// A followed log, and the server's side of it.
async fn follow(manual: &mut Manual) -> (LogStream, Web) {
    let client = manual.client();
    let options = LogOptions::new().without_resume();
    let following = client.follow_log(LogSource::Entrypoint, options);
    let (log, (web, request)) = tokio::join!(following, manual.accept(FRAMES));
    assert_eq!(
        request.line(),
        "GET /process/session/entrypoint/logs?follow=true"
    );
    assert_eq!(request.header("sec-websocket-protocol"), FRAMES);
    (log.unwrap(), web)
}

#[tokio::test]
async fn pings_get_pongs_without_a_reader() {
    let mut manual = Manual::start().await;
    let (mut log, mut web) = follow(&mut manual).await;
    let ping = b"are you there?";
    web.send(Message::Ping(ping.as_slice().into()))
        .await
        .unwrap();
    let pong = web.next().await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong(ping.as_slice().into()));

    // A flood without a reader: it is stopped by what the buffers of both sides hold.
    let mut writer = Writer::new();
    let payload = vec![b'x'; 64 * 1024];
    let mut sent: u64 = 0;
    loop {
        let mut message = bytes::BytesMut::new();
        writer.encode(Channel::Stdout, &payload, &mut message);
        let sending = web.send(Message::Binary(message.freeze()));
        // Nothing else takes the processor that long when there is room.
        if timeout(Duration::from_secs(2), sending).await.is_err() {
            break;
        }
        sent += payload.len() as u64;
        assert!(sent < 256 << 20, "it takes everything");
    }
    assert!(sent >= STREAM_BUFFER_BYTES as u64);

    // It shows that it is alive all the same.
    tokio::time::pause();
    for _ in 0..3 {
        let sign = web.next().await.unwrap().unwrap();
        assert_eq!(sign, Message::Pong(Default::default()));
    }
    tokio::time::resume();

    // And nothing is lost.
    let serving = tokio::spawn(async move {
        web.flush().await.unwrap();
        close(&mut web, 1000, "").await;
    });
    let mut taken: u64 = 0;
    while let Some(event) = log.next().await {
        match event.unwrap() {
            LogEvent::Output { offset, bytes, .. } => {
                assert_eq!(offset, taken);
                taken += bytes.len() as u64;
            }
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(taken, sent + payload.len() as u64);
    serving.await.unwrap();
}

#[tokio::test]
async fn a_server_that_says_nothing_any_more_is_given_up() {
    let mut manual = Manual::start().await;
    let (mut log, web) = follow(&mut manual).await;
    tokio::time::pause();
    let begin = Instant::now();
    let error = log.next().await.unwrap().unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Closed, Delivery::Uncertain));
    assert_eq!(error.to_string(), "nothing came for 20s");
    assert!(
        begin.elapsed() <= Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );
    assert!(log.next().await.is_none());
    drop(web);
}

#[tokio::test]
async fn a_server_that_sends_pongs_is_not() {
    let mut manual = Manual::start().await;
    let (mut log, mut web) = follow(&mut manual).await;
    tokio::time::pause();
    let serving = tokio::spawn(async move {
        for _ in 0..100 {
            let message = web.next().await.unwrap().unwrap();
            assert!(matches!(message, Message::Ping(_)), "{message:?}");
        }
        close(&mut web, 1000, "").await;
    });
    let begin = Instant::now();
    assert!(log.next().await.is_none());
    assert!(begin.elapsed() >= PING_INTERVAL * 100);
    serving.await.unwrap();
}

#[tokio::test]
async fn an_abandoned_socket_is_closed() {
    let mut manual = Manual::start().await;
    let (log, mut web) = follow(&mut manual).await;
    drop(log);
    let message = web.next().await.unwrap().unwrap();
    let Message::Close(Some(frame)) = message else {
        panic!("{message:?}");
    };
    assert_eq!(u16::from(frame.code), 1000);
    assert!(web.next().await.is_none());

    // A peer that does not respond is left.
    let (log, web) = follow(&mut manual).await;
    let mut stream = web.into_inner();
    drop(log);
    let mut rest = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest);
    timeout(Duration::from_secs(60), read)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn ends_that_are_none() {
    let mut manual = Manual::start().await;
    for (code, kind) in [
        (1001, ErrorKind::Closed),
        (1002, ErrorKind::Protocol),
        (1008, ErrorKind::Closed),
        (1009, ErrorKind::TooLarge),
        (1011, ErrorKind::Closed),
    ] {
        let (mut log, mut web) = follow(&mut manual).await;
        let ((), event) = tokio::join!(close(&mut web, code, "because"), log.next());
        let error = event.unwrap().unwrap_err();
        assert_eq!(error.kind(), kind);
        let expect = format!("the daemon closed the connection: because (code {code})");
        assert_eq!(error.to_string(), expect);
    }
    // Bytes that no WebSocket has, and an end without a close; what came before is not lost.
    let mut message = bytes::BytesMut::new();
    Writer::new().encode(Channel::Stderr, b"before", &mut message);
    for (bytes, kind) in [
        (&b""[..], ErrorKind::Closed),
        (b"\x82\x05abc", ErrorKind::Closed),
        (b"\xff\x00\0\0\0\0\0\0\0\0", ErrorKind::Protocol),
        (b"\x82\x7f\0\0\0\0\x7f\xff\xff\xff", ErrorKind::TooLarge),
        (b"\x82\x0cno frame at\0", ErrorKind::Protocol),
    ] {
        let (mut log, mut web) = follow(&mut manual).await;
        web.send(Message::Binary(message.clone().freeze()))
            .await
            .unwrap();
        let mut stream = web.into_inner();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        assert!(matches!(
            log.next().await,
            Some(Ok(LogEvent::Output { .. }))
        ));
        let error = log.next().await.unwrap().unwrap_err();
        assert_eq!(
            kinds(&error),
            (kind, Delivery::Uncertain),
            "{bytes:?} {error:?}"
        );
        assert!(log.next().await.is_none());
    }
}

#[tokio::test]
async fn handshakes_that_are_none() {
    let mut manual = Manual::start().await;
    let client = manual.client();
    let follow = || client.follow_log(LogSource::Entrypoint, LogOptions::new());
    let foreign = async |manual: &mut Manual| {
        let (stream, request) = manual.next().await;
        drop(accept(stream, &request, Some("other")).await);
    };
    let (log, ()) = tokio::join!(follow(), foreign(&mut manual));
    let error = log.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Protocol, Delivery::Uncertain));
    for (answer, kind) in [
        (&b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"[..], ErrorKind::Protocol),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ErrorKind::Protocol),
        (b"HTTP/1.1 204 Nothing\r\n\r\n", ErrorKind::Protocol),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", ErrorKind::NotFound),
        (b"HTTP/1.1 101 Switching Pro", ErrorKind::Closed),
        (b"", ErrorKind::Closed),
    ] {
        let (log, request) = tokio::join!(follow(), manual.answer(answer));
        assert_eq!(log.unwrap_err().kind(), kind);
        assert_eq!(request.header("sec-websocket-version"), Some("13"));
        assert_eq!(request.header("upgrade"), Some("websocket"));
    }
}

async fn start_exec(
    client: &HttpTransport,
) -> Result<sandbox_transport::ExecConnection, sandbox_transport::Error> {
    client.execute_stream(ExecStreamRequest::default()).await
}

#[tokio::test]
async fn a_command_that_was_cut_off_has_not_ended() {
    let mut manual = Manual::start().await;
    let client = manual.client();
    let text =
        |message: &ExecServerMessage| Message::Text(serde_json::to_string(message).unwrap().into());
    let begin = async |manual: &mut Manual| {
        let (mut web, _) = manual.accept(Some("sandbox.exec.v1")).await;
        let start = web.next().await.unwrap().unwrap();
        let expect =
            r#"{"type":"start","request":{"command":""},"input":false,"inputWindow":true}"#;
        assert_eq!(start, Message::Text(expect.into()));
        web
    };
    let serve = async |manual: &mut Manual| {
        let mut web = begin(manual).await;
        web.send(text(&ExecServerMessage::Started {
            isolation_level: None,
            pid: None,
            input_window: None,
        }))
        .await
        .unwrap();
        web.send(Message::Text(
            r#"{"type":"error","code":"CONFLICT","message":"m"}"#.into(),
        ))
        .await
        .unwrap();
        close(&mut web, 1000, "").await;
    };
    let (exec, ()) = tokio::join!(start_exec(&client), serve(&mut manual));
    let mut exec = exec.unwrap();
    let event = exec.events.next().await.unwrap().unwrap();
    assert!(matches!(event, ExecEvent::Refused { code, .. } if code == "CONFLICT"));
    // A close with 1000 is no end of a command.
    let error = exec.events.next().await.unwrap().unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Closed, Delivery::Uncertain));

    let refuse = async |manual: &mut Manual, message: &str, code| {
        let mut web = begin(manual).await;
        if !message.is_empty() {
            web.send(Message::Text(message.into())).await.unwrap();
        }
        close(&mut web, code, "").await;
    };
    let bad = r#"{"type":"error","code":"UNPROCESSABLE_ENTITY","message":"no shell"}"#;
    for (message, code, expect) in [
        (bad, 1008, (ErrorKind::InvalidInput, Delivery::Rejected)),
        ("", 1009, (ErrorKind::TooLarge, Delivery::Rejected)),
        ("", 1001, (ErrorKind::Closed, Delivery::Uncertain)),
        ("junk", 1000, (ErrorKind::Protocol, Delivery::Uncertain)),
    ] {
        let (exec, ()) = tokio::join!(start_exec(&client), refuse(&mut manual, message, code));
        assert_eq!(kinds(&exec.unwrap_err()), expect, "{message}");
    }
}

#[tokio::test]
async fn what_is_urgent_overtakes_input_without_room() {
    const WINDOW: usize = 64 * 1024;
    const TAKEN: usize = 40_000;
    let mut manual = Manual::start().await;
    let client = manual.client();
    let text =
        |message: &ExecServerMessage| Message::Text(serde_json::to_string(message).unwrap().into());
    let serve = async {
        let (mut web, _) = manual.accept(Some("sandbox.exec.v1")).await;
        web.next().await.unwrap().unwrap();
        let started = ExecServerMessage::Started {
            isolation_level: None,
            pid: None,
            input_window: Some(WINDOW as u64),
        };
        web.send(text(&started)).await.unwrap();
        web
    };
    let (exec, mut web) = tokio::join!(start_exec(&client), serve);
    // Its events are not read, which must not matter.
    let exec = exec.unwrap();
    let control = Arc::clone(&exec.control);
    let writing = tokio::spawn(async move {
        control.write(vec![0; 1 << 20].into()).await?;
        control.close_input().await
    });
    // Input up to this many bytes in all, and what comes after it.
    let mut got = 0;
    let mut read = async |web: &mut Web, up_to: usize| {
        while got < up_to {
            match next(web).await {
                Message::Binary(bytes) => got += bytes.len(),
                other => panic!("{other:?} after {got} bytes"),
            }
        }
        got
    };
    assert_eq!(read(&mut web, WINDOW).await, WINDOW);
    exec.control.signal(Signal::TERM).await.unwrap();
    let signal = r#"{"type":"signal","signal":15}"#;
    assert_eq!(next(&mut web).await, Message::Text(signal.into()));
    let size = PtySize { rows: 1, cols: 2 };
    exec.control.resize(size).await.unwrap();
    let resize = r#"{"type":"resize","cols":2,"rows":1}"#;
    assert_eq!(next(&mut web).await, Message::Text(resize.into()));

    let taken = |bytes: usize| {
        text(&ExecServerMessage::InputTaken {
            bytes: bytes as u64,
        })
    };
    web.send(taken(TAKEN)).await.unwrap();
    assert!(read(&mut web, WINDOW + 1).await <= WINDOW + TAKEN);
    exec.control.signal(Signal::KILL).await.unwrap();
    let kill = r#"{"type":"signal","signal":9}"#;
    // There may be room for one more piece.
    let mut message = next(&mut web).await;
    let mut more = 0;
    while let Message::Binary(bytes) = &message {
        more += bytes.len();
        message = next(&mut web).await;
    }
    assert_eq!(message, Message::Text(kill.into()));
    web.send(taken(1 << 20)).await.unwrap();
    assert_eq!(read(&mut web, (1 << 20) - more).await, (1 << 20) - more);
    let end = r#"{"type":"eof"}"#;
    assert_eq!(next(&mut web).await, Message::Text(end.into()));
    writing.await.unwrap().unwrap();
}

/// The next message that is no ping.
async fn next(web: &mut Web) -> Message {
    loop {
        match web.next().await.unwrap().unwrap() {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}
