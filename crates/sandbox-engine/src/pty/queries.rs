//! Finds the queries that a program sends to its terminal, so that each is shown to one client only.
//!
//! A terminal responds to a query as if its user had typed. A client that connects later would respond to old queries,
//! too, and into whatever reads then: `2R1R` at the prompt after an editor has ended.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// The queries in an output.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    /// The bytes of the current sequence, up to the length of a query.
    sequence: Vec<u8>,
    /// The places of the queries in order; adjacent queries are merged.
    found: VecDeque<Range<u64>>,
}

impl Queries {
    /// Begins a sequence after an ESC.
    pub(crate) fn begin(&mut self) {
        self.sequence.clear();
    }

    /// Appends a byte to the sequence.
    pub(crate) fn push(&mut self, byte: u8) {
        // One additional byte marks the sequence as too long for a query.
        if self.sequence.len() <= QUERY_BYTES {
            self.sequence.push(byte);
        }
    }

    /// Ends the sequence that began at `begin`, before `end`.
    pub(crate) fn end(&mut self, begin: u64, end: u64) {
        if !is_query(&self.sequence) {
            return;
        }
        match self.found.back_mut() {
            Some(last) if last.end == begin => last.end = end,
            _ => self.found.push_back(begin..end),
        }
        if self.found.len() > QUERIES {
            self.found.pop_front();
        }
    }

    pub(crate) fn forget_before(&mut self, offset: u64) {
        while self.found.front().is_some_and(|query| query.end <= offset) {
            self.found.pop_front();
        }
    }

    /// Returns `bytes`, which stand at `offset`, with NULs, which terminals do not show, in place of the queries before
    /// `end`.
    pub(crate) fn blank(&self, offset: u64, bytes: Bytes, end: u64) -> Bytes {
        let end = end.min(offset + bytes.len() as u64);
        let first = self.found.partition_point(|query| query.end <= offset);
        let mut queries = self
            .found
            .range(first..)
            .take_while(|query| query.start < end)
            .peekable();
        if queries.peek().is_none() {
            return bytes;
        }
        let mut bytes = BytesMut::from(bytes);
        let index =
            |place: u64| usize::try_from(place.saturating_sub(offset)).unwrap_or(usize::MAX);
        for query in queries {
            let within = index(query.start)..index(query.end.min(end));
            if let Some(query) = bytes.get_mut(within) {
                query.fill(0);
            }
        }
        bytes.freeze()
    }
}

/// Returns whether a terminal responds to a sequence, given without its ESC. Follows xterm's list of control sequences,
/// and kitty's of its keyboard and graphics protocols.
fn is_query(sequence: &[u8]) -> bool {
    if sequence.len() > QUERY_BYTES {
        return false;
    }
    let Some((kind, rest)) = sequence.split_first() else {
        return false;
    };
    match kind {
        // DECID.
        b'Z' => rest.is_empty(),
        b'[' => is_control_query(rest),
        b']' => command_asks(rest),
        // DECRQSS and XTGETTCAP.
        b'P' => rest.starts_with(b"$q") || rest.starts_with(b"+q"),
        // Graphics: whether a picture could be shown.
        b'_' => rest.starts_with(b"G") && rest.windows(3).any(|key| key == b"a=q"),
        _ => false,
    }
}

/// Returns whether a control sequence is a query, given after its `[`.
fn is_control_query(sequence: &[u8]) -> bool {
    let Some((last, parameters)) = sequence.split_last() else {
        return false;
    };
    match last {
        // DSR; `>` turns something off instead.
        b'n' => !parameters.starts_with(b">"),
        // DA1, DA2 and DA3; other parameters mark a response.
        b'c' => matches!(parameters, b"" | b"0" | b">" | b">0" | b"=" | b"=0"),
        // XTVERSION; without `>` it loads lamps, or a cursor's shape.
        b'q' => parameters.starts_with(b">"),
        // DECRQM.
        b'p' => parameters.ends_with(b"$"),
        // DECREQTPARM.
        b'x' => matches!(parameters, b"" | b"0" | b"1"),
        // The window's position, its size, and its titles.
        b't' => matches!(
            parameters.split(|byte| *byte == b';').next(),
            Some(b"11" | b"13" | b"14" | b"15" | b"16" | b"18" | b"19" | b"20" | b"21")
        ),
        // The enabled enhancements of the keyboard.
        b'u' => parameters == b"?",
        // XTSMGRAPHICS, to read an attribute.
        b'S' => {
            parameters.starts_with(b"?")
                && parameters.split(|byte| *byte == b';').nth(1) == Some(b"1")
        }
        _ => false,
    }
}

/// Returns whether an operating system command queries a color, a font or the clipboard, given after its `]`.
fn command_asks(command: &[u8]) -> bool {
    let text = command
        .strip_suffix(b"\x1b\\")
        .or_else(|| command.strip_suffix(b"\x07"));
    let mut parts = text.unwrap_or(command).split(|byte| *byte == b';');
    let is_kind = |number: &[u8]| {
        matches!(
            number,
            b"4" | b"5"
                | b"10"
                | b"11"
                | b"12"
                | b"13"
                | b"14"
                | b"15"
                | b"16"
                | b"17"
                | b"18"
                | b"19"
                | b"50"
                | b"52"
        )
    };
    parts.next().is_some_and(is_kind) && parts.any(|part| part == b"?")
}

/// The longest sequence that is examined; longer than any query in use.
const QUERY_BYTES: usize = 256;

/// The number of queries that are remembered: many more than programs send, and little memory.
const QUERIES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_distinct_from_the_rest() {
        for query in [
            "[6n",
            "[5n",
            "[?6n",
            "[c",
            "[0c",
            "[>c",
            "[=0c",
            "[>0q",
            "[?2026$p",
            "[4$p",
            "[14t",
            "[18;2t",
            "[?u",
            "[?1;1;0S",
            "]10;?\x07",
            "]11;?\x1b\\",
            "]4;1;?\x07",
            "]52;c;?\x07",
            "P+q544e\x1b\\",
            "P$qm\x1b\\",
            "_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\",
            "Z",
        ] {
            assert!(is_query(query.as_bytes()), "{query:?}");
        }
        for other in [
            "",
            "[",
            "[m",
            "[2J",
            "[1;2H",
            "[>4n",
            "[?1;2c",
            "[2 q",
            "[!p",
            "[8;24;80t",
            "[22;0t",
            "[u",
            "[>1u",
            "[3S",
            "]0;what?\x07",
            "]0;a;?\x07",
            "]10;red\x07",
            "]8;;http://a?b\x1b\\",
            "P1;2q#0\x1b\\",
            "_Ga=T;AAAA\x1b\\",
            "M",
        ] {
            assert!(!is_query(other.as_bytes()), "{other:?}");
        }
        let long = format!("]11;{}?\x07", ";".repeat(QUERY_BYTES));
        let mut queries = Queries::default();
        long.bytes().for_each(|byte| queries.push(byte));
        assert!(!is_query(&queries.sequence));
    }
}
