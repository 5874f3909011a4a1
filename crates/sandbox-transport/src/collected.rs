//! An output as one answer holds it.

use std::collections::VecDeque;

use sandbox_logcodec::Channel;
use sandbox_wire::rest::OutputTruncation;

use crate::LogEvent;
use crate::limits::ANSWER_OUTPUT_BYTES;

/// The beginning and the end of an output.
#[derive(Debug)]
pub(crate) struct Collected {
    head: Half,
    tail: Half,
    /// What each half holds at least before something is left out.
    half: usize,
    /// Bytes between the two, and bytes that the daemon had not.
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
    pub(crate) fn new() -> Self {
        Self::with_limit(ANSWER_OUTPUT_BYTES)
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

    /// Takes what comes next of the output.
    pub(crate) fn push(&mut self, event: &LogEvent) {
        match event {
            LogEvent::Gap { length, .. } => {
                self.missing += length;
                self.total += length;
            }
            LogEvent::Output { channel, bytes, .. } => {
                self.total += bytes.len() as u64;
                for bytes in bytes.chunks(RUN_BYTES) {
                    self.push_bytes(*channel, bytes);
                }
            }
        }
    }

    /// The output with markers, as lossy UTF-8.
    #[cfg(feature = "grpc")]
    pub(crate) fn marked(&self) -> String {
        let runs = self.head.runs.iter().chain(&self.tail.runs);
        lossy(sandbox_logcodec::mux_log(
            runs.map(|run| (run.channel, &run.bytes[..])),
        ))
    }

    /// One channel, or both together, as lossy UTF-8.
    pub(crate) fn text(&self, channel: Option<Channel>) -> String {
        let mut text = self.head.bytes(channel);
        text.extend(self.tail.bytes(channel));
        lossy(text)
    }

    /// The same, with what is not kept told where it is.
    pub(crate) fn told(&self, channel: Option<Channel>) -> String {
        if self.missing == 0 {
            return self.text(channel);
        }
        let head = lossy(self.head.bytes(channel));
        let tail = lossy(self.tail.bytes(channel));
        format!("{head}\n[... {} bytes not kept ...]\n{tail}", self.missing)
    }

    pub(crate) fn truncation(&self) -> Option<OutputTruncation> {
        (self.missing > 0).then_some(OutputTruncation {
            total_bytes: self.total,
            dropped_bytes: self.missing,
        })
    }

    fn push_bytes(&mut self, channel: Channel, bytes: &[u8]) {
        // What comes behind a gap belongs to the end.
        let is_head = self.tail.runs.is_empty() && self.missing == 0;
        if is_head && self.head.cost + bytes.len() <= self.half {
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

    fn bytes(&self, channel: Option<Channel>) -> Vec<u8> {
        let is_wanted = |run: &&Run| channel.is_none_or(|channel| run.channel == channel);
        let runs = self.runs.iter().filter(is_wanted);
        runs.flat_map(|run| &run.bytes).copied().collect()
    }
}

impl Run {
    fn cost(&self) -> usize {
        self.bytes.len() + RUN_COST
    }
}

/// Bytes as text, copied only where they are no UTF-8.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

const RUN_BYTES: usize = 64 * 1024;

/// What a run takes beside its bytes, so that an output of single bytes is bounded, too.
const RUN_COST: usize = 32;

#[cfg(test)]
mod tests {
    use Channel::{Stderr, Stdout};

    use super::*;

    fn output(channel: Channel, bytes: &[u8]) -> LogEvent {
        LogEvent::Output {
            channel,
            offset: 0,
            bytes: bytes.to_vec().into(),
        }
    }

    #[test]
    fn small_outputs_are_whole() {
        let mut log = Collected::new();
        for (channel, bytes) in [
            (Stdout, &b"a"[..]),
            (Stderr, b"b\xff"),
            (Stdout, b"\xc3"),
            (Stdout, b"\xa9"),
        ] {
            log.push(&output(channel, bytes));
        }
        assert_eq!(log.text(None), "ab\u{FFFD}é");
        assert_eq!(log.text(Some(Stdout)), "aé");
        assert_eq!(log.told(Some(Stderr)), "b\u{FFFD}");
        #[cfg(feature = "grpc")]
        assert_eq!(
            log.marked(),
            "\x01\x01\x01a\x02\x02\x02b\u{FFFD}\x01\x01\x01é"
        );
        assert_eq!(log.truncation(), None);
    }

    #[test]
    fn long_outputs_keep_both_ends() {
        let mut log = Collected::new();
        let piece = vec![b'x'; RUN_BYTES];
        log.push(&output(Stdout, b"begin "));
        let pieces = ANSWER_OUTPUT_BYTES / RUN_BYTES + 9;
        for _ in 0..pieces {
            log.push(&output(Stdout, &piece));
        }
        log.push(&output(Stderr, b" end"));
        let held = log.head.cost + log.tail.cost;
        assert!(held <= ANSWER_OUTPUT_BYTES + 2 * (RUN_BYTES + RUN_COST));
        let text = log.told(None);
        assert!(text.starts_with("begin x") && text.ends_with("x end"));
        let truncation = log.truncation().unwrap();
        assert_eq!(truncation.total_bytes, (10 + pieces * RUN_BYTES) as u64);
        let told = format!(
            "x\n[... {} bytes not kept ...]\nx",
            truncation.dropped_bytes
        );
        assert!(text.contains(&told));
    }

    #[test]
    fn what_was_not_kept_lies_between() {
        let mut log = Collected::with_limit(1024);
        log.push(&output(Stdout, b"ab"));
        log.push(&LogEvent::Gap {
            offset: 2,
            length: 5,
        });
        log.push(&output(Stdout, b"yz"));
        assert_eq!(log.told(None), "ab\n[... 5 bytes not kept ...]\nyz");
        assert_eq!(log.text(None), "abyz");
        assert_eq!(log.truncation().unwrap().total_bytes, 9);
    }
}
