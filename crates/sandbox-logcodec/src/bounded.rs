//! A log of bounded size.

use std::collections::VecDeque;

use crate::channel::Channel;
use crate::log::mux_log;

/// A log that is collected within a bound: of a longer one, it retains the beginning and the end.
///
/// It is for a response that holds an output at once. What is left out of the middle is counted, as are the gaps of a log
/// that is incomplete already.
///
/// # Examples
///
/// ```
/// use sandbox_logcodec::{BoundedLog, Channel, gap_notice};
///
/// let mut log = BoundedLog::new(1024);
/// log.push(Channel::Stdout, b"begin");
/// log.skip(7);
/// log.push(Channel::Stderr, b"end");
/// assert_eq!((log.total_bytes(), log.dropped_bytes()), (15, 7));
/// assert_eq!(log.channel(Channel::Stdout), b"begin");
/// let text = format!("begin{}end", gap_notice(7));
/// assert_eq!(log.with_notice(None), text.as_bytes());
/// ```
#[derive(Debug)]
pub struct BoundedLog {
    head: Half,
    tail: Half,
    /// What each half holds at least before something is left out.
    half: usize,
    /// Bytes between the two.
    dropped: u64,
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

impl BoundedLog {
    /// Makes an empty log of at most `limit` bytes of memory.
    ///
    /// A piece of output takes its bytes and 32 more, unless it follows one of its channel. The limit can be exceeded by
    /// 128 KiB, since output is left out in pieces of at most 64 KiB.
    pub fn new(limit: usize) -> Self {
        Self {
            head: Half::default(),
            tail: Half::default(),
            half: limit / 2,
            dropped: 0,
            total: 0,
        }
    }

    /// Adds what was written next.
    pub fn push(&mut self, channel: Channel, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        for bytes in bytes.chunks(RUN_BYTES) {
            self.push_run(channel, bytes);
        }
    }

    /// Adds a gap of `length` bytes.
    pub fn skip(&mut self, length: u64) {
        self.dropped += length;
        self.total += length;
    }

    /// Returns how many bytes were written, gaps included.
    pub fn total_bytes(&self) -> u64 {
        self.total
    }

    /// Returns how many of them are missing.
    pub fn dropped_bytes(&self) -> u64 {
        self.dropped
    }

    /// Returns the bytes of one channel that were retained.
    pub fn channel(&self, channel: Channel) -> Vec<u8> {
        let [head, tail] = [&self.head, &self.tail].map(|half| half.bytes(Some(channel)));
        [head, tail].concat()
    }

    /// Returns the bytes of one channel, or of both in the order in which they were written, with a [notice](gap_notice) in the
    /// place of what is missing.
    pub fn with_notice(&self, channel: Option<Channel>) -> Vec<u8> {
        let notice = match self.dropped {
            0 => String::new(),
            dropped => gap_notice(dropped),
        };
        let (head, tail) = (self.head.bytes(channel), self.tail.bytes(channel));
        [head, notice.into_bytes(), tail].concat()
    }

    /// Returns what was retained with markers, as [`mux_log`] does.
    pub fn mux(&self) -> Vec<u8> {
        let runs = self.head.runs.iter().chain(&self.tail.runs);
        mux_log(runs.map(|run| (run.channel, &run.bytes[..])))
    }

    fn push_run(&mut self, channel: Channel, bytes: &[u8]) {
        // What follows a gap belongs to the end.
        let is_head = self.tail.runs.is_empty() && self.dropped == 0;
        if is_head && self.head.cost + bytes.len() <= self.half {
            self.head.push(channel, bytes);
            return;
        }
        self.tail.push(channel, bytes);
        while let Some(first) = self.tail.runs.front()
            && self.tail.cost - first.cost() >= self.half
        {
            self.dropped += first.bytes.len() as u64;
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
        let runs: Vec<_> = self.runs.iter().filter(is_wanted).collect();
        let runs: Vec<_> = runs.iter().map(|run| &run.bytes[..]).collect();
        runs.concat()
    }
}

impl Run {
    fn cost(&self) -> usize {
        self.bytes.len() + RUN_COST
    }
}

/// Returns the line that stands for people in the place of missing bytes.
///
/// # Examples
///
/// ```
/// assert_eq!(sandbox_logcodec::gap_notice(7), "\n[... 7 bytes discarded ...]\n");
/// ```
pub fn gap_notice(length: u64) -> String {
    format!("\n[... {length} bytes discarded ...]\n")
}

const RUN_BYTES: usize = 64 * 1024;

/// What a run takes beside its bytes, so that an output of single bytes is bounded, too.
const RUN_COST: usize = 32;

#[cfg(test)]
mod tests {
    use Channel::{Stderr, Stdout};

    use super::*;

    #[test]
    fn a_log_within_its_bound_is_whole() {
        let mut log = BoundedLog::new(1024);
        for (channel, bytes) in [
            (Stdout, &b"a"[..]),
            (Stderr, b"b\xff"),
            (Stdout, b"\xc3"),
            (Stdout, b"\xa9"),
        ] {
            log.push(channel, bytes);
        }
        assert_eq!(log.with_notice(None), b"ab\xff\xc3\xa9");
        assert_eq!(log.channel(Stdout), "a\u{e9}".as_bytes());
        assert_eq!(log.channel(Stderr), b"b\xff");
        assert_eq!(
            log.mux(),
            b"\x01\x01\x01a\x02\x02\x02b\xff\x01\x01\x01\xc3\xa9"
        );
        assert_eq!((log.total_bytes(), log.dropped_bytes()), (5, 0));
    }

    #[test]
    fn a_long_log_keeps_both_ends() {
        for (size, pieces) in [(RUN_BYTES, 40), (1000, 2000), (1, 40_000)] {
            let limit = 1024 * 1024;
            let mut log = BoundedLog::new(limit);
            log.push(Stdout, b"begin ");
            for number in 0..pieces {
                // Single bytes of alternating channels, which cannot be joined.
                let channel = if number % 2 == 0 { Stderr } else { Stdout };
                log.push(channel, &vec![b'x'; size]);
            }
            log.push(Stderr, b" end");
            let held = log.head.cost + log.tail.cost;
            assert!(held <= limit + 2 * (RUN_BYTES + RUN_COST), "{size}: {held}");
            assert_eq!(log.total_bytes(), (10 + pieces * size) as u64);
            let (dropped, text) = (log.dropped_bytes(), log.with_notice(None));
            assert!(dropped > 0, "{size}");
            let text = String::from_utf8(text).unwrap();
            assert!(text.starts_with("begin x") && text.ends_with("x end"));
            assert!(text.contains(&format!("x{}x", gap_notice(dropped))));
            let kept = text.len() - gap_notice(dropped).len();
            assert_eq!(kept as u64 + dropped, log.total_bytes());
        }
    }

    #[test]
    fn a_gap_lies_between_the_ends() {
        let mut log = BoundedLog::new(1024);
        log.push(Stdout, b"ab");
        log.skip(5);
        log.push(Stdout, b"yz");
        assert_eq!(
            log.with_notice(None),
            b"ab\n[... 5 bytes discarded ...]\nyz"
        );
        assert_eq!(log.channel(Stdout), b"abyz");
        assert_eq!((log.total_bytes(), log.dropped_bytes()), (9, 5));
    }
}
