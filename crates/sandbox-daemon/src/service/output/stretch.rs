//! Selects the parts of a record that fit into a response.

use std::ops::Range;

use sandbox_engine::record::{BeyondEnd, Piece, Record};
use sandbox_logcodec::Channel;

use crate::limits::{LOG_BYTES, LOG_JSON_BYTES};

/// Two parts of a record that fit into a response: one from its beginning and one up to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(super) begin: u64,
    /// The end of the first part.
    pub(super) head: u64,
    /// The beginning of the second part; equal to `head` if nothing is left out.
    pub(super) tail: u64,
    pub(super) end: u64,
    /// Bytes from `begin` to `end` that are in neither part, or that the record does not have.
    missing: u64,
    /// Bytes of the requested channel that are in one of the parts.
    held: u64,
}

/// The encoding of output in a response, which determines its length there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Form {
    /// Whether it is the text of a JSON string.
    pub(crate) is_json: bool,
    /// Whether it has markers of the channels.
    pub(crate) is_marked: bool,
    /// The only channel of it, if it has one.
    pub(crate) only: Option<Channel>,
}

impl Stretch {
    /// Scans the current content of `record` from `begin` on.
    ///
    /// A response contains up to [`LOG_BYTES`] of it, or as much as takes [`LOG_JSON_BYTES`] in its form: half of that from the
    /// beginning and half up to the end.
    pub(crate) async fn of(record: &Record, begin: u64, form: Form) -> Result<Self, BeyondEnd> {
        Self::within(record, begin..record.length(), form, LOG_JSON_BYTES).await
    }

    /// Scans the output of a record's command itself, without that of its background children after its end.
    pub(crate) async fn of_the_command(record: &Record, form: Form) -> Result<Self, BeyondEnd> {
        let end = record.completed_at().unwrap_or_else(|| record.length());
        Self::within(record, 0..end, form, LOG_JSON_BYTES).await
    }

    async fn within(
        record: &Record,
        Range { start: begin, end }: Range<u64>,
        form: Form,
        room: u64,
    ) -> Result<Self, BeyondEnd> {
        let mut cursor = record.between(begin, end)?;
        let mut head = Half::new(begin, room / 2);
        let (mut gaps, mut held, mut cost) = (0, 0, 0);
        // One scan serves both cases: most records fit, and need no second one from the end.
        'whole: {
            while let Some(piece) = cursor.next().await {
                // What is in memory is read without a wait, so that a long record would hold the
                // thread.
                tokio::task::consume_budget().await;
                match piece {
                    Piece::Gap { offset, length } => {
                        gaps += length;
                        head.skip(offset + length, length);
                    }
                    Piece::Data { channel, bytes, .. } => {
                        for bytes in bytes.chunks(STEP) {
                            let step = form.cost(channel, bytes);
                            cost += step;
                            // Not at the end of `head`, which is half of that: until then all of it
                            // may still fit.
                            if cost > room {
                                break 'whole;
                            }
                            let own = form.own(channel, bytes);
                            held += own;
                            head.take(bytes.len(), step, own);
                        }
                    }
                }
            }
            return Ok(Self {
                begin,
                head: end,
                tail: end,
                end,
                missing: gaps,
                held,
            });
        }
        let tail = tail(record, head.at, end, form, room / 2).await?;
        Ok(Self {
            begin,
            head: head.at,
            tail: tail.at,
            end,
            missing: head.gaps + (tail.at - head.at),
            held: head.held + tail.held,
        })
    }

    /// Returns the bytes of the record that are not in the parts.
    pub(crate) fn missing(&self) -> u64 {
        self.missing
    }

    /// Returns the bytes from the beginning to the end, including the missing ones.
    pub(crate) fn total(&self) -> u64 {
        self.end - self.begin
    }

    /// Returns the bytes of the requested channel in both parts.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }
}

/// The part before the omission, or the one after it.
#[derive(Debug)]
struct Half {
    /// The position that the part extends to.
    at: u64,
    room: u64,
    gaps: u64,
    held: u64,
    is_full: bool,
}

impl Half {
    fn new(at: u64, room: u64) -> Self {
        Self {
            at,
            room,
            gaps: 0,
            held: 0,
            is_full: false,
        }
    }

    /// Extends the part over a gap.
    fn skip(&mut self, to: u64, gap: u64) {
        if !self.is_full {
            self.at = to;
            self.gaps += gap;
        }
    }

    /// Extends the part forwards, if there is room.
    fn take(&mut self, length: usize, cost: u64, own: u64) {
        self.is_full |= cost > self.room;
        if !self.is_full {
            self.room -= cost;
            self.at += length as u64;
            self.held += own;
        }
    }
}

/// Selects the part up to the end, scanned backwards, down to `head` or the first gap.
async fn tail(
    record: &Record,
    head: u64,
    end: u64,
    form: Form,
    room: u64,
) -> Result<Half, BeyondEnd> {
    let mut tail = Half::new(end, room);
    while tail.at > head {
        tokio::task::consume_budget().await;
        // A cursor only reads forwards: backwards in windows.
        let mut cursor = record.between(tail.at.saturating_sub(WINDOW).max(head), tail.at)?;
        let mut pieces = Vec::new();
        while let Some(piece) = cursor.next().await {
            pieces.push(piece);
        }
        for piece in pieces.into_iter().rev() {
            let Piece::Data { channel, bytes, .. } = piece else {
                return Ok(tail);
            };
            for bytes in bytes.rchunks(STEP) {
                let cost = form.cost(channel, bytes);
                if cost > tail.room {
                    return Ok(tail);
                }
                tail.room -= cost;
                tail.at -= bytes.len() as u64;
                tail.held += form.own(channel, bytes);
            }
        }
    }
    Ok(tail)
}

impl Form {
    /// Returns how many of the bytes belong to the requested channel.
    fn own(self, channel: Channel, bytes: &[u8]) -> u64 {
        match self.only {
            Some(only) if only != channel => 0,
            _ => bytes.len() as u64,
        }
    }

    /// Returns the maximum length of the encoded bytes, on the scale of [`LOG_JSON_BYTES`].
    fn cost(self, channel: Channel, bytes: &[u8]) -> u64 {
        let own = self.own(channel, bytes);
        if own == 0 {
            return 0;
        }
        let mut encoded = if self.is_json {
            json_length(bytes)
        } else {
            own
        };
        if self.is_marked {
            // Bytes 01 and 02 may each need a label of two markers; so does a change of channel.
            let labels = 1 + bytes.iter().filter(|byte| matches!(byte, 1 | 2)).count() as u64;
            encoded += labels * if self.is_json { 6 * LABEL } else { LABEL };
        }
        encoded.max(own * (LOG_JSON_BYTES / LOG_BYTES))
    }
}

/// Returns the length of the bytes as the text of a JSON string. A character that is cut counts as invalid.
fn json_length(bytes: &[u8]) -> u64 {
    let replaced = match str::from_utf8(bytes) {
        Ok(_) => 0,
        // U+FFFD has three bytes. What it replaces is never escaped.
        Err(_) => { bytes.utf8_chunks() }
            .map(|chunk| 2 * chunk.invalid().len() as u64)
            .sum(),
    };
    replaced + escaped_length(bytes)
}

/// Returns the length of the bytes with escapes. The sums of few bytes are bytes, which a processor adds up many at a time.
fn escaped_length(bytes: &[u8]) -> u64 {
    let added = |bytes: &[u8]| bytes.iter().map(|byte| added_length(*byte)).sum::<u8>();
    let added = bytes.chunks(FEW).map(|few| u64::from(added(few)));
    bytes.len() as u64 + added.sum::<u64>()
}

/// Returns what the escape of a byte adds to its length; at most 5.
fn added_length(byte: u8) -> u8 {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0x00..0x20 => 5,
        _ => 0,
    }
}

/// Bytes whose escapes add less than 256 to their length.
const FEW: usize = 48;

/// Bytes of a label.
const LABEL: u64 = 6;

/// The granularity in bytes at which a part ends.
const STEP: usize = 4096;

/// Bytes that are scanned together, backwards.
const WINDOW: u64 = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the record of a command's output.
    async fn record(command: &str) -> Record {
        let engine = sandbox_engine::Engine::builder().build().unwrap();
        let options = sandbox_engine::RunOptions {
            output: sandbox_engine::OutputMode::Split,
            ..Default::default()
        };
        engine.exec_recorded(command, options).await.unwrap().record
    }

    /// Returns both parts of a stretch, of one channel or of both.
    async fn parts(record: &Record, stretch: &Stretch, only: Option<Channel>) -> [Vec<u8>; 2] {
        let mut parts = [Vec::new(), Vec::new()];
        let Stretch {
            begin,
            head,
            tail,
            end,
            ..
        } = *stretch;
        for (part, (begin, end)) in parts.iter_mut().zip([(begin, head), (tail, end)]) {
            let mut cursor = record.between(begin, end).unwrap();
            while let Some(piece) = cursor.next().await {
                match piece {
                    Piece::Data { channel, bytes, .. }
                        if only.is_none_or(|only| only == channel) =>
                    {
                        part.extend_from_slice(&bytes);
                    }
                    _ => {}
                }
            }
        }
        parts
    }

    #[tokio::test]
    async fn what_does_not_fit_is_left_out_of_the_middle() {
        let lines: Vec<u8> = (1..=200_000)
            .flat_map(|n| format!("{n}\n").into_bytes())
            .collect();
        let record = record("seq 1 100000; echo once >&2; seq 100001 200000").await;
        let form = Form {
            is_json: true,
            is_marked: false,
            only: None,
        };
        let whole = Stretch::of(&record, 0, form).await.unwrap();
        assert_eq!(
            (whole.missing(), whole.total()),
            (0, lines.len() as u64 + 5)
        );
        let room = 400_000;
        let some = Stretch::within(&record, 0..record.length(), form, room)
            .await
            .unwrap();
        let [head, tail] = parts(&record, &some, None).await;
        for part in [&head, &tail] {
            let cost = form.cost(Channel::Stdout, part);
            assert!(
                cost <= room / 2 && cost > room / 2 - 4 * STEP as u64,
                "{cost}"
            );
        }
        assert!(lines.starts_with(&head) && lines.ends_with(&tail));
        assert_eq!(
            head.len() as u64 + some.missing() + tail.len() as u64,
            some.total()
        );
        // The other channel begins and ends at other offsets.
        let form = Form {
            only: Some(Channel::Stderr),
            ..form
        };
        let own = Stretch::within(&record, 0..record.length(), form, 1000)
            .await
            .unwrap();
        assert_eq!(own.held(), 5);
        let [head, tail] = parts(&record, &own, Some(Channel::Stderr)).await;
        assert_eq!([head, tail].concat(), b"once\n");
    }

    #[test]
    fn lengths_are_those_of_the_encoder() {
        let mut all: Vec<u8> = (0..=255).collect();
        for text in ["", "é漢😀", "\u{fffd}\u{7f}\u{2028}\"\\/\u{8}\u{c}"] {
            all.extend_from_slice(text.as_bytes());
            let lossy = String::from_utf8_lossy(&all).into_owned();
            let encoded = serde_json::to_string(&lossy).unwrap().len() as u64 - 2;
            assert_eq!(json_length(&all), encoded);
        }
    }

    #[test]
    fn every_byte_counts_what_it_takes_and_no_less_than_its_share() {
        let form = |is_json, is_marked, only| Form {
            is_json,
            is_marked,
            only,
        };
        let check = |form: Form, bytes: &[u8], expect| {
            assert_eq!(form.cost(Channel::Stdout, bytes), expect, "{form:?}");
        };
        check(form(false, false, None), b"ab\0", 6);
        check(form(true, false, None), b"ab\0", 8);
        check(form(true, false, Some(Channel::Stdout)), b"ab\0", 8);
        check(form(true, false, Some(Channel::Stderr)), b"ab\0", 0);
        check(form(true, true, None), b"ab\0", 8 + 36);
        check(form(true, true, None), b"\x01", 6 + 72);
        check(form(false, true, None), b"a", 7);
    }
}
