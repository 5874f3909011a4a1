//! Artifacts: what a program shows besides its output, as records on a separate channel.

use bytes::Bytes;

/// Reads an artifact channel incrementally: each record is a little-endian u32 length followed by that many bytes.
#[derive(Debug)]
pub(crate) struct Artifacts {
    records: Vec<Bytes>,
    kept: usize,
    limit: usize,
    dropped: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Length(Vec<u8>),
    Record {
        bytes: Vec<u8>,
        missing: usize,
    },
    /// Inside a record that would exceed the limit.
    Skip {
        missing: usize,
    },
}

impl Artifacts {
    /// Creates a reader that retains at most `limit` bytes of records.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            records: Vec::new(),
            kept: 0,
            limit,
            dropped: 0,
            state: State::Length(Vec::new()),
        }
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Length(length) => {
                    take(&mut bytes, 4 - length.len(), |part| {
                        length.extend_from_slice(part)
                    });
                    if let Ok(length) = <[u8; 4]>::try_from(length.as_slice()) {
                        self.begin(u32::from_le_bytes(length) as usize);
                    }
                }
                State::Record {
                    bytes: record,
                    missing,
                } => {
                    *missing -= take(&mut bytes, *missing, |part| record.extend_from_slice(part));
                    self.end_if_whole();
                }
                State::Skip { missing } => {
                    *missing -= take(&mut bytes, *missing, |_| ());
                    self.end_if_whole();
                }
            }
        }
    }

    /// Returns the complete records and the number of those that exceeded the limit. A record that is cut off by the
    /// death of its writer is not complete.
    pub(crate) fn finish(self) -> (Vec<Bytes>, usize) {
        (self.records, self.dropped)
    }

    fn begin(&mut self, length: usize) {
        if self.kept + length > self.limit {
            self.dropped += 1;
            self.state = State::Skip { missing: length };
        } else {
            self.kept += length;
            // Not `with_capacity(length)`: the child declares the length and may send less.
            self.state = State::Record {
                bytes: Vec::new(),
                missing: length,
            };
        }
        self.end_if_whole();
    }

    fn end_if_whole(&mut self) {
        match &mut self.state {
            State::Record { bytes, missing: 0 } => self.records.push(std::mem::take(bytes).into()),
            State::Skip { missing: 0 } => {}
            _ => return,
        }
        self.state = State::Length(Vec::new());
    }
}

/// Splits up to `wanted` bytes off the front of `bytes`, passes them to `hand_on` and returns their number.
fn take(bytes: &mut &[u8], wanted: usize, hand_on: impl FnOnce(&[u8])) -> usize {
    let (front, rest) = bytes.split_at(wanted.min(bytes.len()));
    *bytes = rest;
    hand_on(front);
    front.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], limit: usize, expect: &[&[u8]], dropped: usize) {
        for chunk in 1..=bytes.len().max(1) {
            let mut artifacts = Artifacts::new(limit);
            bytes.chunks(chunk).for_each(|part| artifacts.push(part));
            let (records, count) = artifacts.finish();
            assert_eq!(records, expect, "in chunks of {chunk}");
            assert_eq!(count, dropped, "in chunks of {chunk}");
        }
    }

    #[test]
    fn only_whole_records_count() {
        check(b"", 9, &[], 0);
        check(b"\x02\0\0\0ab\x00\0\0\0", 9, &[b"ab", b""], 0);
        check(b"\x02\0\0\0ab\x03\0\0\0xy", 9, &[b"ab"], 0);
        check(b"\x02\0\0\0ab\x03\0", 9, &[b"ab"], 0);
    }

    #[test]
    fn a_record_beyond_the_limit_costs_only_itself() {
        check(b"\x05\0\0\0abcde\x02\0\0\0xy\x03\0\0\0xyz", 4, &[b"xy"], 2);
        check(b"\xff\xff\xff\xffabc", 4, &[], 1);
    }
}
