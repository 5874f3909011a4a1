//! Messages that a daemon sends over WebSockets.

use std::io::Cursor;

use sandbox_wire::ws::{PtyCloseReason, close_code};

use super::{events, finish, one_end};
use crate::http::ws::socket::{End, Frame, Incoming, Socket};
use crate::http::ws::{exec, interpreter, pty};
use crate::{InterpreterEvent, PtyEvent};

/// Checks that any bytes of a daemon over a WebSocket come to an end, in events that fit each other: output has no hole
/// except for gaps, nothing follows the end of a command, a terminal or a run, and no exit code is negative.
///
/// The input is the bytes, or the frames that they consist of: each its first byte, a length of one byte and its data.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn sockets(input: &[u8]) {
    let (first, rest) = input.split_first().unwrap_or((&0, &[]));
    // Random bytes are rarely more than one frame, so that half of the inputs describe frames.
    let bytes = match first & 1 {
        0 => frames(rest),
        _ => rest.to_vec(),
    };
    finish(async {
        let mut incoming = open(&bytes).await;
        let mut count = 0;
        while let Ok(Frame::Text(_) | Frame::Binary(_)) = incoming.next().await {
            count += 1;
        }
        assert!(count <= bytes.len());
        terminal(open(&bytes).await).await;
        command(open(&bytes).await).await;
        run(open(&bytes).await).await;
    });
}

fn frames(mut input: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let [first, length, rest @ ..] = input {
        let (data, rest) = rest.split_at(rest.len().min((*length).into()));
        bytes.push(*first);
        match u8::try_from(data.len()) {
            Ok(length @ 0..126) => bytes.push(length),
            _ => {
                // A length of 126 or more takes two further bytes (RFC 6455, section 5.2).
                bytes.push(126);
                bytes.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
            }
        }
        bytes.extend(data);
        input = rest;
    }
    bytes
}

/// Returns a WebSocket on which these bytes arrive, followed by the end of the connection.
async fn open(bytes: &[u8]) -> Incoming {
    let carrier = tokio::io::join(Cursor::new(bytes.to_vec()), tokio::io::sink());
    Socket::over(carrier).await.incoming
}

async fn terminal(incoming: Incoming) {
    let mut source = pty::Events::new(incoming);
    if let Err(error) = source.connected().await {
        return assert!(!error.to_string().is_empty());
    }
    let (events, is_whole) = events(source).await;
    let exits = |event: &PtyEvent| match event {
        PtyEvent::Exited { exit_code, .. } => {
            assert!(exit_code.is_none_or(|code| code >= 0));
            true
        }
        PtyEvent::Output { bytes } => {
            assert!(!bytes.is_empty());
            false
        }
        PtyEvent::Gap { .. } => false,
    };
    one_end(&events, is_whole, exits);
}

async fn command(mut incoming: Incoming) {
    if let Err(error) = exec::started(&mut incoming).await {
        return assert!(!error.to_string().is_empty());
    }
    let (events, is_whole) = events(exec::Events::new(incoming)).await;
    super::command(&events, is_whole);
}

async fn run(incoming: Incoming) {
    let (events, is_whole) = events(interpreter::Events::new(incoming)).await;
    one_end(&events, is_whole, |event| {
        matches!(event, InterpreterEvent::Ended { .. })
    });
}

/// Checks that a terminal ends as a close's reason says, otherwise as its code says, or in an error, for any reason.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn terminal_closes(input: &[u8]) {
    let reason = String::from_utf8_lossy(input).into_owned();
    let received = serde_json::from_str::<PtyCloseReason>(&reason).ok();
    let codes = [
        close_code::NORMAL,
        close_code::GOING_AWAY,
        close_code::INTERNAL_ERROR,
        close_code::POLICY_VIOLATION,
    ];
    for code in codes.map(Some).into_iter().chain([None]) {
        let reason = reason.clone();
        let exit_code = match pty::closed(End::Closed { code, reason }) {
            Ok(PtyEvent::Exited { exit_code, .. }) => Some(exit_code),
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                None
            }
        };
        let expect = match (&received, code) {
            (Some(received), _) => Some(Some(received.exit_code).filter(|code| *code >= 0)),
            (None, Some(close_code::NORMAL)) => Some(Some(0)),
            (None, Some(close_code::INTERNAL_ERROR)) => Some(None),
            (None, _) => None,
        };
        assert_eq!(exit_code, expect, "{code:?}");
    }
}
