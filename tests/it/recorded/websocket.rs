//! Streams.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox_logcodec::{Channel, demux_log};
use sandbox_transport::{
    InterpretRequest, InterpreterEvent, InterpreterOutcome, LogEvent, LogOptions, LogSource,
    ProcessApi, PtyAttachRequest, PtyEvent,
};
use serde_json::Value;

use super::{PATIENCE, client, received, recording, segments, stub::Stub};

fn payload(frame: &Value) -> Vec<u8> {
    match frame["base64"].as_str() {
        Some(encoded) => STANDARD.decode(encoded).unwrap(),
        None => frame["text"]
            .as_str()
            .unwrap_or_default()
            .as_bytes()
            .to_vec(),
    }
}

/// Whether a recording ends as the protocol says that a stream ends: anything else is a cut.
fn ends_well(entry: &Value) -> bool {
    let frames = received(entry);
    let last = frames.last();
    last.is_some_and(|frame| frame["op"] == "close" && frame["code"] == 1000)
}

#[tokio::test]
async fn logs_are_followed() {
    let (mut followed, mut failed) = (0, 0);
    for entry in recording("ws-logs") {
        let what = format!("ws-logs: {}", entry["name"]);
        let path = segments(&entry["request"]);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let source = match &*path {
            [.., "session", "entrypoint", "logs"] => LogSource::Entrypoint,
            [.., "session", id, "command", command, "logs"] => LogSource::command(*id, *command),
            _ => panic!("{what}: {path:?}"),
        };
        let stub = Stub::answering(&entry).await;
        let api = client(&stub);
        let mut channels = [Vec::new(), Vec::new()];
        let follow = async {
            let mut log = api
                .follow_log(source, LogOptions::new().without_resume())
                .await?;
            while let Some(event) = log.next().await {
                if let LogEvent::Output { channel, bytes, .. } = event? {
                    channels[usize::from(channel == Channel::Stderr)].extend_from_slice(&bytes);
                }
            }
            Ok::<_, sandbox_transport::Error>(())
        };
        let result = tokio::time::timeout(PATIENCE, follow)
            .await
            .unwrap_or_else(|_| panic!("{what}: hangs"));
        if ends_well(&entry) {
            result.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            let sent: Vec<u8> = received(&entry).into_iter().flat_map(payload).collect();
            let logs = demux_log(&sent);
            assert_eq!(channels, [logs.0, logs.1], "{what}");
            followed += 1;
        } else {
            // Silence is no success.
            result.expect_err(&what);
            failed += 1;
        }
    }
    assert!(followed > 15 && failed > 2, "{followed} {failed}");
}

#[tokio::test]
async fn terminals_are_watched() {
    let (mut told, mut cut) = (0, 0);
    // Where the client closed, the end is its own.
    let closes = |entry: &Value| {
        let frames = entry["frames"].as_array().into_iter().flatten();
        frames
            .into_iter()
            .any(|frame| frame["dir"] == "send" && frame["op"] == "close")
    };
    for entry in recording("ws-pty")
        .into_iter()
        .filter(|entry| !closes(entry))
    {
        let what = format!("ws-pty: {}", entry["name"]);
        let stub = Stub::answering(&entry).await;
        let api = client(&stub);
        let frames = received(&entry);
        let mut shown = Vec::new();
        let watch = async {
            let connection = api.connect_pty(PtyAttachRequest::new("vec-p")).await?;
            let mut events = connection.events;
            while let Some(event) = events.next().await {
                match event? {
                    PtyEvent::Output { bytes } => shown.extend_from_slice(&bytes),
                    PtyEvent::Exited { exit_code, .. } => return Ok(exit_code),
                    _ => {}
                }
            }
            panic!("{what}: an end without its event");
        };
        let watch: Result<_, sandbox_transport::Error> = tokio::time::timeout(PATIENCE, watch)
            .await
            .unwrap_or_else(|_| panic!("{what}: hangs"));
        let close = frames.iter().find(|frame| frame["op"] == "close");
        let reason = close
            .and_then(|close| close["reason"].as_str())
            .unwrap_or_default();
        let reason: Value = serde_json::from_str(reason).unwrap_or_default();
        let connected = frames.first().is_some_and(|frame| {
            frame["text"]
                .as_str()
                .is_some_and(|text| text.contains("\"connected\""))
        });
        match reason["exitCode"].as_i64() {
            Some(code) if connected => {
                let exit_code = watch.unwrap_or_else(|error| panic!("{what}: {error:?}"));
                // -1 says that it is unknown.
                let code = Some(code).filter(|code| *code >= 0);
                assert_eq!(exit_code.map(i64::from), code, "{what}");
                let binary = frames.iter().filter(|frame| frame["op"] == "binary");
                let sent: Vec<u8> = binary.flat_map(|frame| payload(frame)).collect();
                assert_eq!(shown, sent, "{what}");
                told += 1;
            }
            // Nothing was said of its end: that must not look like one.
            _ => {
                if let Ok(code) = watch {
                    assert_eq!(code, None, "{what}");
                }
                cut += 1;
            }
        }
    }
    assert!(told > 10 && cut > 3, "{told} {cut}");
}

#[tokio::test]
async fn interpreters_are_heard() {
    let (mut completed, mut ended, mut failed) = (0, 0, 0);
    // What was too long to be retained cannot be sent.
    let is_whole = |entry: &Value| {
        received(entry)
            .iter()
            .all(|frame| frame.get("bytes").is_none())
    };
    for entry in recording("ws-interpreter").into_iter().filter(is_whole) {
        let what = format!("ws-interpreter: {}", entry["name"]);
        let stub = Stub::answering(&entry).await;
        let api = client(&stub);
        let frames = received(&entry);
        // Of several requests on one connection the client knows the first alone.
        let (mut texts, mut errors, mut outcome) =
            ([String::new(), String::new()], Vec::new(), None);
        let listen = async {
            let mut events = api.interpret(InterpretRequest::default()).await?;
            while let Some(event) = events.next().await {
                match event? {
                    InterpreterEvent::Output { channel, bytes } => {
                        let text = std::str::from_utf8(&bytes).unwrap();
                        texts[usize::from(channel == Channel::Stderr)].push_str(text);
                    }
                    InterpreterEvent::Error { name, value, .. } => errors.push((name, value)),
                    InterpreterEvent::Ended { outcome: how, .. } => outcome = Some(how),
                    _ => {}
                }
            }
            Ok::<_, sandbox_transport::Error>(())
        };
        let result = tokio::time::timeout(PATIENCE, listen)
            .await
            .unwrap_or_else(|_| panic!("{what}: hangs"));
        let mut expect = [String::new(), String::new()];
        let mut raised = Vec::new();
        let mut control = None;
        for frame in &frames {
            let message: Value = serde_json::from_slice(&payload(frame)).unwrap_or_default();
            let field = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            match message["type"].as_str() {
                _ if control.is_some() => {}
                Some("stdout") => expect[0].push_str(&field("text")),
                Some("stderr") => expect[1].push_str(&field("text")),
                Some("error") => raised.push((field("name"), field("value"))),
                Some("control") => control = Some(field("text")),
                _ => {}
            }
        }
        if control.as_deref() == Some("completed") {
            result.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!((texts, errors), (expect, raised), "{what}");
            assert_eq!(outcome, Some(InterpreterOutcome::Completed), "{what}");
            completed += 1;
        } else if outcome.is_some() {
            assert_ne!(outcome, Some(InterpreterOutcome::Completed), "{what}");
            ended += 1;
        } else {
            result.expect_err(&what);
            failed += 1;
        }
    }
    assert!(completed > 40 && failed > 2, "{completed} {ended} {failed}");
}
