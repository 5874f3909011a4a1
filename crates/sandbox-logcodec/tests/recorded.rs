//! Streams recorded from Daytona's daemon v0.190, read as they came and sent again as they should have been.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sandbox_logcodec::fuzzing::StockClient;
use sandbox_logcodec::{Channel, Decoder, Encoder, demux_log, parse_session_command_logs};
use serde_json::Value;

type Outputs = (Vec<u8>, Vec<u8>);

struct Recording {
    name: String,
    written: Outputs,
    messages: Vec<Vec<u8>>,
    /// What the messages hold.
    held: Outputs,
    has_fault: bool,
    /// Characters, and marker bytes among them, of stdout and stderr.
    before_repair: [(u64, u64); 2],
}

fn recordings() -> Vec<Recording> {
    let text = include_str!("data/markers.json");
    let entries: Vec<Value> = serde_json::from_str(text).expect("it is JSON");
    entries.iter().map(recording).collect()
}

fn recording(entry: &Value) -> Recording {
    let outputs = |value: &Value| (bytes(&value["stdout"]), bytes(&value["stderr"]));
    let number = |value: &Value| value.as_u64().expect("it is a number");
    let count = |channel| {
        let value = &entry["before_repair"][channel];
        (number(&value["characters"]), number(&value["markers"]))
    };
    let written = outputs(&entry["written"]);
    let messages = entry["messages"].as_array().expect("it is a list");
    Recording {
        name: entry["name"].to_string(),
        held: match entry.get("held") {
            Some(held) => outputs(held),
            None => written.clone(),
        },
        written,
        messages: messages.iter().map(bytes).collect(),
        has_fault: entry.get("fault").is_some(),
        before_repair: [count("stdout"), count("stderr")],
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("it is text");
    STANDARD.decode(text).expect("it is base64")
}

fn follow(mut client: StockClient, messages: &[impl AsRef<[u8]>]) -> Outputs {
    for message in messages {
        client.receive(message.as_ref());
    }
    client.finish()
}

#[test]
fn recorded_streams_come_apart() {
    let recordings = recordings();
    assert_eq!(recordings.len(), 17);
    for recording in recordings {
        let log = recording.messages.concat();
        assert_eq!(demux_log(&log), recording.held, "{}", recording.name);
        let logs = parse_session_command_logs(&log);
        assert_eq!((logs.stdout, logs.stderr), recording.held);
        assert_eq!(logs.output, log);

        // As they came, and byte by byte.
        let bytes: Vec<_> = log.iter().map(|&byte| vec![byte]).collect();
        for pieces in [&recording.messages, &bytes] {
            let mut decoder = Decoder::new();
            let mut found = Outputs::default();
            let mut take = |(channel, chunk): (Channel, Bytes)| match channel {
                Channel::Stdout => found.0.extend_from_slice(&chunk),
                Channel::Stderr => found.1.extend_from_slice(&chunk),
            };
            for piece in pieces {
                let mut piece = Bytes::from(piece.clone());
                while let Some(chunk) = decoder.decode(&mut piece) {
                    take(chunk);
                }
            }
            decoder.finish().into_iter().for_each(&mut take);
            assert_eq!(found, recording.held, "{}", recording.name);
        }
    }
}

#[test]
fn the_model_of_stock_clients_does_what_they_did() {
    for recording in recordings() {
        let (stdout, stderr) = follow(StockClient::original(), &recording.messages);
        let found = [stdout, stderr].map(|output| {
            let text = String::from_utf8_lossy(&output);
            let is_marker = |c: &char| matches!(c, '\u{1}' | '\u{2}');
            let markers = text.chars().filter(is_marker).count();
            (text.chars().count() as u64, markers as u64)
        });
        assert_eq!(found, recording.before_repair, "{}", recording.name);
        let repaired = follow(StockClient::repaired(), &recording.messages);
        assert_eq!(repaired, recording.held, "{}", recording.name);
    }
}

/// What the faulty streams should have sent is sent by ours, to all stock clients.
#[test]
fn what_was_written_reaches_stock_clients() {
    let mut faulty = 0;
    for recording in recordings() {
        faulty += usize::from(recording.has_fault);
        for size in [1, 7, 1024] {
            let (stdout, stderr) = &recording.written;
            let mut encoder = Encoder::new();
            let mut messages = Vec::new();
            let mut pieces = [stdout.chunks(size), stderr.chunks(size)];
            for turn in 0..2 * stdout.len().max(stderr.len()) {
                let channel = [Channel::Stdout, Channel::Stderr][turn % 2];
                let mut payload = pieces[turn % 2].next().unwrap_or_default();
                while let Some(message) = encoder.encode(channel, &mut payload) {
                    messages.push(message);
                }
                messages.extend(encoder.flush());
            }
            messages.extend(encoder.finish());
            for client in [StockClient::original(), StockClient::repaired()] {
                let found = follow(client, &messages);
                assert_eq!(found, recording.written, "{}", recording.name);
            }
            assert_eq!(demux_log(&messages.concat()), recording.written);
        }
    }
    assert_eq!(faulty, 10);
}
