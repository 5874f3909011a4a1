//! Capture of an output in bounded memory.

use std::collections::VecDeque;

use bytes::Bytes;

/// A bounded capture of an output: its first half-limit and its last half-limit; the bytes between are counted.
#[derive(Debug)]
pub(crate) struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    half: usize,
    /// The number of bytes by which `head` may still grow.
    room: usize,
    total: u64,
}

impl Capture {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            half: limit / 2,
            room: limit / 2,
            total: 0,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let fits = bytes.len().min(self.room - self.head.len());
        let (head, rest) = bytes.split_at(fits);
        self.head.extend_from_slice(head);

        let rest = &rest[rest.len().saturating_sub(self.half)..];
        let surplus = (self.tail.len() + rest.len()).saturating_sub(self.half);
        self.tail.drain(..surplus);
        self.tail.extend(rest);
    }

    /// Counts bytes that are not available. What is pushed next belongs to the end.
    pub(crate) fn skip(&mut self, gone: u64) {
        self.total += gone;
        self.room = self.head.len();
    }

    /// Returns the number of bytes so far, including those that were skipped.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn finish(self) -> Captured {
        let kept = self.head.len() + self.tail.len();
        Captured {
            head: self.head.into(),
            tail: Vec::from(self.tail).into(),
            dropped: self.total - kept as u64,
        }
    }
}

/// The retained part of an output, in order: `head`, then `dropped` bytes that are missing, then `tail`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The beginning of the output.
    pub head: Bytes,
    /// The end of the output; empty unless it was longer than half of its limit.
    pub tail: Bytes,
    /// The number of missing bytes between the two. 0 means that `head` and `tail` are the whole output.
    pub dropped: u64,
}

impl Captured {
    /// Returns the total number of bytes that were written.
    pub fn total(&self) -> u64 {
        self.head.len() as u64 + self.dropped + self.tail.len() as u64
    }

    /// Returns the retained bytes in one piece; not the whole output unless [`dropped`](Self::dropped) is 0.
    pub fn to_vec(&self) -> Vec<u8> {
        [&self.head[..], &self.tail[..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limit: usize, chunk: usize, length: usize) {
        let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
        let mut capture = Capture::new(limit);
        for piece in bytes.chunks(chunk) {
            capture.push(piece);
        }
        let captured = capture.finish();
        assert_eq!(captured.total(), length as u64);
        assert!(captured.head.len() + captured.tail.len() <= limit);
        assert!(bytes.starts_with(&captured.head) && bytes.ends_with(&captured.tail));
        if length <= limit {
            assert_eq!(captured.to_vec(), bytes);
        } else {
            assert_eq!(captured.dropped, (length - limit) as u64);
        }
    }

    #[test]
    fn what_was_skipped_lies_between_the_ends() {
        let mut capture = Capture::new(8);
        capture.push(b"ab");
        capture.skip(5);
        capture.push(b"yz");
        let captured = capture.finish();
        assert_eq!(
            (&captured.head[..], &captured.tail[..]),
            (&b"ab"[..], &b"yz"[..])
        );
        assert_eq!((captured.dropped, captured.total()), (5, 9));
    }

    #[test]
    fn keeps_both_ends_whatever_the_chunks() {
        for limit in [2, 8, 64] {
            for chunk in [1, 3, 7, 1000] {
                for length in [0, 1, 7, 8, 9, 63, 64, 65, 500] {
                    check(limit, chunk, length);
                }
            }
        }
    }
}
