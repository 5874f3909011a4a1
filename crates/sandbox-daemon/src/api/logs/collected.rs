//! A log as one answer carries it.

use std::collections::VecDeque;

use sandbox_engine::record::{BeyondEnd, Piece, Record};
use sandbox_logcodec::{Channel, mux_log};
use sandbox_wire::rest::OutputTruncation;

use crate::limits::LOG_BYTES;

/// The beginning and the end of what a record held at one moment.
#[derive(Debug)]
pub(in crate::api) struct Collected {
    head: Half,
    tail: Half,
    /// What each half holds at least before something is left out.
    half: usize,
    /// Bytes between the two, and bytes that the record had not.
    missing: u64,
    total: u64,
}

#[derive(Debug, Default)]
struct Half {
    runs: VecDeque<Run>,
    cost: usize,
}

/// Bytes of one channel.
#[derive(Debug)]
struct Run {
    channel: Channel,
    bytes: Vec<u8>,
}

impl Collected {
    /// Reads what `record` holds now, from `offset` on.
    pub(in crate::api) async fn of(record: &Record, offset: u64) -> Result<Self, BeyondEnd> {
        let mut cursor = record.snapshot(offset)?;
        let mut collected = Self::with_limit(LOG_BYTES);
        while let Some(piece) = cursor.next().await {
            collected.push(&piece);
        }
        Ok(collected)
    }

    /// The log with markers.
    pub(in crate::api) fn marked(&self) -> Vec<u8> {
        mux_log(self.runs().map(|run| (run.channel, &run.bytes[..])))
    }

    /// Both channels together, without markers.
    pub(in crate::api) fn plain(&self) -> Vec<u8> {
        let runs: Vec<_> = self.runs().map(|run| &run.bytes[..]).collect();
        runs.concat()
    }

    /// One channel, as lossy UTF-8.
    pub(in crate::api) fn text(&self, channel: Channel) -> String {
        let runs = self.runs().filter(|run| run.channel == channel);
        let runs: Vec<_> = runs.map(|run| &run.bytes[..]).collect();
        lossy(runs.concat())
    }

    /// Bytes that are in the record's stretch and not here.
    pub(in crate::api) fn missing(&self) -> u64 {
        self.missing
    }

    pub(in crate::api) fn truncation(&self) -> Option<OutputTruncation> {
        (self.missing > 0).then_some(OutputTruncation {
            total_bytes: self.total,
            dropped_bytes: self.missing,
        })
    }

    fn with_limit(bytes: usize) -> Self {
        Self {
            head: Half::default(),
            tail: Half::default(),
            half: bytes / 2,
            missing: 0,
            total: 0,
        }
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.head.runs.iter().chain(&self.tail.runs)
    }

    fn push(&mut self, piece: &Piece) {
        match piece {
            Piece::Gap { length, .. } => {
                self.missing += length;
                self.total += length;
            }
            Piece::Data { channel, bytes, .. } => {
                self.total += bytes.len() as u64;
                for bytes in bytes.chunks(RUN_BYTES) {
                    self.push_bytes(*channel, bytes);
                }
            }
        }
    }

    fn push_bytes(&mut self, channel: Channel, bytes: &[u8]) {
        if self.tail.runs.is_empty() && self.head.cost + bytes.len() <= self.half {
            self.head.push(channel, bytes);
            return;
        }
        self.tail.push(channel, bytes);
        while let Some(first) = self.tail.runs.front()
            && self.tail.cost - first.cost() >= self.half
        {
            self.missing += first.bytes.len() as u64;
            self.tail.cost -= first.cost();
            self.tail.runs.pop_front();
        }
    }
}

impl Half {
    fn push(&mut self, channel: Channel, bytes: &[u8]) {
        let last = self.runs.back_mut();
        let last =
            last.filter(|run| run.channel == channel && run.bytes.len() + bytes.len() <= RUN_BYTES);
        match last {
            Some(run) => run.bytes.extend_from_slice(bytes),
            None => {
                self.cost += RUN_COST;
                let bytes = bytes.to_vec();
                self.runs.push_back(Run { channel, bytes });
            }
        }
        self.cost += bytes.len();
    }
}

impl Run {
    fn cost(&self) -> usize {
        self.bytes.len() + RUN_COST
    }
}

/// Bytes as text, copied only where they are no UTF-8.
pub(in crate::api) fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

const RUN_BYTES: usize = 64 * 1024;

/// What a run takes beside its bytes, so that a log of single bytes is bounded, too.
const RUN_COST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use Channel::{Stderr, Stdout};

    fn data(channel: Channel, bytes: &[u8]) -> Piece {
        Piece::Data {
            offset: 0,
            channel,
            bytes: bytes.to_vec().into(),
        }
    }

    fn collect(limit: usize, pieces: &[Piece]) -> Collected {
        let mut collected = Collected::with_limit(limit);
        for piece in pieces {
            collected.push(piece);
        }
        collected
    }

    #[test]
    fn small_logs_are_whole() {
        let log = collect(
            1 << 20,
            &[
                data(Stdout, b"a"),
                data(Stderr, b"b\xff"),
                data(Stdout, b"\xc3"),
                data(Stdout, b"\xa9"),
            ],
        );
        assert_eq!(log.plain(), b"ab\xff\xc3\xa9");
        assert_eq!(
            log.marked(),
            b"\x01\x01\x01a\x02\x02\x02b\xff\x01\x01\x01\xc3\xa9"
        );
        assert_eq!(
            (log.text(Stdout), log.text(Stderr)),
            ("aé".into(), "b\u{FFFD}".into())
        );
        assert_eq!((log.missing(), log.truncation()), (0, None));
    }

    #[test]
    fn big_logs_lose_their_middle() {
        let mut whole = Vec::new();
        let mut pieces = Vec::new();
        for index in 0_u32..100_000 {
            let line = format!("{index}\n");
            whole.extend_from_slice(line.as_bytes());
            let channel = if index % 2 == 0 { Stdout } else { Stderr };
            pieces.push(data(channel, line.as_bytes()));
        }
        let limit = 1 << 20;
        let log = collect(limit, &pieces);
        let kept = log.plain();
        assert!(log.head.cost + log.tail.cost <= limit + RUN_BYTES);
        assert_eq!(kept.len() as u64 + log.missing(), whole.len() as u64);
        assert_eq!(log.truncation().unwrap().total_bytes, whole.len() as u64);
        let head = log.head.runs.iter().map(|run| run.bytes.len()).sum();
        assert!(head > 10_000 && kept.len() > 2 * head - 1000);
        assert!(whole.starts_with(&kept[..head]) && whole.ends_with(&kept[head..]));
    }

    #[test]
    fn gaps_of_the_record_are_told() {
        let gap = Piece::Gap {
            offset: 0,
            length: 7,
        };
        let log = collect(1 << 20, &[gap, data(Stdout, b"abc")]);
        let truncation = log.truncation().unwrap();
        assert_eq!((truncation.total_bytes, truncation.dropped_bytes), (10, 7));
        assert_eq!(log.plain(), b"abc");
    }
}
