//! Data that child processes send.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use bytes::{Bytes, BytesMut};

use super::pieces;
use crate::artifacts::Artifacts;
use crate::interpreter::protocol::{message, whole};
use crate::limits::SESSION_REPORT_BYTES;
use crate::scripts::node::Source;
use crate::session::report::{Frames, Report, Stage};
use crate::termination::Termination;
use crate::warm::{begun, ended, told};

/// Checks that bytes in any pieces yield the same reports as the whole, that few bytes are buffered, and that the shell's own
/// report after them is found.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn session_reports(input: &[u8]) {
    let (size, noise) = pieces(input);
    let (found, mut frames) = reports(noise.chunks(size));
    if noise.len() <= SESSION_REPORT_BYTES {
        assert_eq!(found, reports([noise]).0);
    }
    assert!(frames.waiting() <= SESSION_REPORT_BYTES + size + NONCE.len());

    // A nonce in the noise may have opened a report: at most one is lost, and that is the noise's own.
    frames.push(b" nonce,begun,3,hB,nonce nonce,idle,7,,nonce");
    let mut last = None;
    while let Some(report) = frames.next() {
        last = Some(report);
    }
    let last = last.expect("a report is found after any noise");
    assert_eq!((last.stage, last.ended.status), (Stage::Idle, 7));
}

fn reports<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Report>, Frames) {
    let mut frames = Frames::with_nonce(NONCE);
    let mut found = Vec::new();
    for piece in pieces {
        frames.push(piece);
        found.extend(std::iter::from_fn(|| frames.next()));
    }
    (found, frames)
}

const NONCE: &str = "nonce";

/// Checks that a worker's bytes in any pieces read as the whole does, and that a refused message consumes nothing that follows.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn worker_reports(input: &[u8]) {
    let (size, bytes) = pieces(input);
    assert_eq!(worker(bytes.chunks(size)), worker([bytes]));

    // The same bytes as fields: a message is a report or is refused, and the next one is read in either case.
    let fields: Vec<_> = bytes.split(|byte| *byte == b',').collect();
    for kind in *b"BSDEV?" {
        let mut buffer = BytesMut::from(&*message(kind, fields.iter().copied()));
        buffer.extend_from_slice(&message(b'D', []));
        let first = whole(&mut buffer);
        assert!(!matches!(first, Ok(None)));
        let second = whole(&mut buffer);
        assert!(matches!(
            second,
            Ok(Some(crate::interpreter::protocol::Report::Done))
        ));
        assert!(buffer.is_empty());
    }
}

/// Returns the reports of a worker, and whether it ended with an invalid one.
fn worker<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<crate::interpreter::protocol::Report>, bool) {
    let mut buffer = BytesMut::new();
    let mut found = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match whole(&mut buffer) {
                Ok(Some(report)) => found.push(report),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}

/// Checks that records are found in any pieces as a reader of the whole finds them, within the limit.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn artifacts(input: &[u8]) {
    let (size, bytes) = pieces(input);
    let limit = 16 * size;
    let mut artifacts = Artifacts::new(limit);
    bytes.chunks(size).for_each(|piece| artifacts.push(piece));
    let (records, dropped) = artifacts.finish();
    assert!(records.iter().map(Bytes::len).sum::<usize>() <= limit);
    assert_eq!((records, dropped), whole_records(bytes, limit));
}

fn whole_records(mut bytes: &[u8], limit: usize) -> (Vec<Bytes>, usize) {
    let (mut records, mut kept, mut dropped) = (Vec::new(), 0, 0);
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let fits = kept + length <= limit;
        if fits {
            kept += length
        } else {
            dropped += 1
        }
        let Some((record, rest)) = rest.split_at_checked(length) else {
            break;
        };
        if fits {
            records.push(Bytes::copy_from_slice(record));
        }
        bytes = rest;
    }
    (records, dropped)
}

/// Checks that any message of a fork server is read or refused, and that its content is possible: a process, an exit code, a signal.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn warm_messages(input: &[u8]) {
    if let Ok((number, word)) = told(input.to_vec()) {
        let again = told(format!("{number}\0{word}").into_bytes());
        assert_eq!(again.ok(), Some((number, word)));
    }
    let word = String::from_utf8_lossy(input);
    let sent = told(format!("7\0{word}").into_bytes());
    assert_eq!(sent.ok(), Some((7, word.to_string())));

    if let Ok(process) = begun(&word) {
        assert!(process.as_raw_nonzero().get() > 0);
    }
    match ended(&word).map(|ended| ended.termination) {
        Ok(ended @ Termination::Exited { code }) => {
            assert_eq!(ended.exit_code(), Some(code));
            assert!((0..=255).contains(&code), "{code}");
        }
        Ok(ended @ Termination::Signaled { signal, .. }) => {
            assert_eq!(ended.exit_code(), Some(128 + signal));
            assert!((1..=64).contains(&signal), "{signal}");
        }
        Ok(other) => panic!("{other:?}"),
        Err(_) => {}
    }
}

/// Checks that a spare process of Node.js receives any program and arguments unchanged: the message is parsed as `boot.cjs`
/// parses it.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn spare_messages(input: &[u8]) {
    let mut arguments: Vec<&[u8]> = input.split(|byte| *byte == 0).collect();
    let text = arguments.pop().unwrap_or_default();
    let text = String::from_utf8_lossy(text).into_owned();
    let source = Source {
        letters: "mp".to_owned(),
        name: "script.mjs".to_owned(),
        text,
    };
    let given: Vec<_> = arguments
        .iter()
        .map(|argument| OsStr::from_bytes(argument).to_owned())
        .collect();
    let message = source.in_socket(&given);

    let (head, rest) = message.split_at(64);
    let head = std::str::from_utf8(head).expect("the head is text");
    let words: Vec<_> = head.split(' ').collect();
    let number = |index: usize| words[index].parse().expect("it is a number");
    let (bytes, length): (usize, usize) = (number(0), number(1));
    assert_eq!(words[2..4], ["mpw", "script.mjs"]);
    assert_eq!(rest.len(), bytes);
    let (told, text) = rest.split_at(length);
    let mut told: Vec<_> = told.split(|byte| *byte == 0).collect();
    assert_eq!(told.pop(), Some(&b""[..]));
    assert_eq!(told, arguments);
    assert_eq!(text, source.text.as_bytes());
}
