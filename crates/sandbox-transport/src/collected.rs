//! An output as one answer holds it.

use std::collections::VecDeque;

use bytes::Bytes;
use sandbox_logcodec::Channel;

use crate::limits::ANSWER_OUTPUT_BYTES;
use crate::model::{CommandOutput, Truncation};

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

    /// Adds what was written next.
    pub(crate) fn push(&mut self, channel: Channel, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        for bytes in bytes.chunks(RUN_BYTES) {
            self.push_bytes(channel, bytes);
        }
    }

    /// Adds a gap of `length` bytes.
    pub(crate) fn skip(&mut self, length: u64) {
        self.missing += length;
        self.total += length;
    }

    /// Returns the output of a command or program, with a line that says where something is missing.
    pub(crate) fn output(&self, is_split: bool) -> CommandOutput {
        let of = |channel| is_split.then(|| self.noted(Some(channel)));
        CommandOutput {
            combined: self.noted(None),
            stdout: of(Channel::Stdout),
            stderr: of(Channel::Stderr),
            truncation: self.truncation(),
        }
    }

    /// Returns the output of a session's command, with markers.
    #[cfg(feature = "grpc")]
    pub(crate) fn marked(&self) -> CommandOutput {
        let runs = self.head.runs.iter().chain(&self.tail.runs);
        let runs = runs.map(|run| (run.channel, &run.bytes[..]));
        let of = |channel| {
            Some(
                [self.head.bytes(channel), self.tail.bytes(channel)]
                    .concat()
                    .into(),
            )
        };
        CommandOutput {
            combined: sandbox_logcodec::mux_log(runs).into(),
            stdout: of(Some(Channel::Stdout)),
            stderr: of(Some(Channel::Stderr)),
            truncation: self.truncation(),
        }
    }

    /// Returns one channel, or both together.
    fn noted(&self, channel: Option<Channel>) -> Bytes {
        let note = match self.missing {
            0 => String::new(),
            missing => format!("\n[... {missing} bytes not kept ...]\n"),
        };
        let (head, tail) = (self.head.bytes(channel), self.tail.bytes(channel));
        [head, note.into_bytes(), tail].concat().into()
    }

    fn truncation(&self) -> Option<Truncation> {
        (self.missing > 0).then_some(Truncation {
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

const RUN_BYTES: usize = 64 * 1024;

/// What a run takes beside its bytes, so that an output of single bytes is bounded, too.
const RUN_COST: usize = 32;

#[cfg(test)]
mod tests {
    use Channel::{Stderr, Stdout};

    use super::*;

    #[test]
    fn small_outputs_are_whole() {
        let mut log = Collected::new();
        for (channel, bytes) in [
            (Stdout, &b"a"[..]),
            (Stderr, b"b\xff"),
            (Stdout, b"\xc3"),
            (Stdout, b"\xa9"),
        ] {
            log.push(channel, bytes);
        }
        let whole = CommandOutput {
            combined: b"ab\xff\xc3\xa9"[..].into(),
            stdout: Some("a\u{e9}".into()),
            stderr: Some(b"b\xff"[..].into()),
            truncation: None,
        };
        assert_eq!(log.output(true), whole);
        let both = log.output(false);
        assert_eq!(both.combined, whole.combined);
        assert_eq!((both.stdout, both.stderr), (None, None));
        #[cfg(feature = "grpc")]
        {
            let combined = b"\x01\x01\x01a\x02\x02\x02b\xff\x01\x01\x01\xc3\xa9"[..].into();
            assert_eq!(log.marked(), CommandOutput { combined, ..whole });
        }
    }

    #[test]
    fn long_outputs_keep_both_ends() {
        let mut log = Collected::new();
        let piece = vec![b'x'; RUN_BYTES];
        log.push(Stdout, b"begin ");
        let pieces = ANSWER_OUTPUT_BYTES / RUN_BYTES + 9;
        for _ in 0..pieces {
            log.push(Stdout, &piece);
        }
        log.push(Stderr, b" end");
        let held = log.head.cost + log.tail.cost;
        assert!(held <= ANSWER_OUTPUT_BYTES + 2 * (RUN_BYTES + RUN_COST));
        let output = log.output(false);
        let text = output.text();
        assert!(text.starts_with("begin x") && text.ends_with("x end"));
        let truncation = output.truncation.unwrap();
        assert_eq!(truncation.total_bytes, (10 + pieces * RUN_BYTES) as u64);
        let note = format!(
            "x\n[... {} bytes not kept ...]\nx",
            truncation.dropped_bytes
        );
        assert!(text.contains(&note));
    }

    #[test]
    fn what_was_not_kept_lies_between() {
        let mut log = Collected::with_limit(1024);
        log.push(Stdout, b"ab");
        log.skip(5);
        log.push(Stdout, b"yz");
        let output = log.output(false);
        assert_eq!(output.combined, "ab\n[... 5 bytes not kept ...]\nyz");
        assert_eq!(output.truncation.unwrap().total_bytes, 9);
        #[cfg(feature = "grpc")]
        assert_eq!(log.marked().stdout.unwrap(), "abyz");
    }
}
