//! The places where the output of a terminal may be cut: between characters, and not within an escape sequence.

use std::collections::VecDeque;

use super::queries::Queries;

/// Tracks an output: places where it may be cut, at least some bytes apart, and the queries in it.
#[derive(Debug)]
pub(crate) struct Boundaries {
    spacing: u64,
    state: State,
    /// The position of the next byte.
    position: u64,
    places: VecDeque<u64>,
    /// The place where the current or last escape sequence began.
    escape: u64,
    queries: Queries,
}

/// The state of the output within a sequence, as in ECMA-48 and terminals since the VT500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside of sequences.
    Ground,
    /// After ESC.
    Escape,
    /// After `ESC [`.
    Control,
    /// In an operating system command, which a bell also ends.
    Command,
    /// In another string, up to `ESC \`.
    String,
}

impl Boundaries {
    pub(crate) fn new(spacing: u64) -> Self {
        Self {
            spacing,
            state: State::Ground,
            position: 0,
            places: VecDeque::new(),
            escape: 0,
            queries: Queries::default(),
        }
    }

    /// Advances over the next part of the output.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            if self.state == State::Ground {
                // Only sequences that begin with ESC: the one-byte forms (0x80 to 0x9F) are parts
                // of characters in UTF-8, where terminals do not heed them.
                let end = rest.iter().position(|byte| *byte == ESCAPE);
                let (plain, escape) = rest.split_at(end.unwrap_or(rest.len()));
                self.mark(plain, escape.first());
                self.position += plain.len() as u64;
                rest = escape;
                if escape.is_empty() {
                    break;
                }
                self.escape = self.position;
                self.queries.begin();
                self.state = State::Escape;
                rest = &rest[1..];
                self.position += 1;
            } else {
                if *first == ESCAPE && matches!(self.state, State::Escape | State::Control) {
                    // Another sequence begins before this one has ended.
                    self.escape = self.position;
                    self.queries.begin();
                } else {
                    self.queries.push(*first);
                }
                self.state = self.state.behind(*first);
                self.position += 1;
                if self.state == State::Ground {
                    self.queries.end(self.escape, self.position);
                }
                rest = behind;
            }
        }
    }

    /// Forgets the places before `offset`.
    pub(crate) fn forget_before(&mut self, offset: u64) {
        while self.places.front().is_some_and(|place| *place < offset) {
            self.places.pop_front();
        }
        self.queries.forget_before(offset);
    }

    /// Returns the queries up to the current position.
    pub(crate) fn queries(&self) -> &Queries {
        &self.queries
    }

    /// Returns the first known place from `offset` on, or the end of the output if there is none.
    pub(crate) fn first_from(&self, offset: u64) -> u64 {
        let index = self.places.partition_point(|place| *place < offset);
        self.places.get(index).copied().unwrap_or(self.position)
    }

    /// Records places in a part without escape sequences, including the place before the byte that follows it.
    fn mark(&mut self, plain: &[u8], behind: Option<&u8>) {
        let mut index = 0_usize;
        loop {
            let next = self.places.back().map_or(0, |last| last + self.spacing);
            let wait = next.saturating_sub(self.position + index as u64);
            index = index.saturating_add(usize::try_from(wait).unwrap_or(usize::MAX));
            let mut bytes = plain.iter().chain(behind).skip(index);
            // Not within a character of UTF-8.
            let Some(found) = bytes.position(|byte| byte & 0xC0 != 0x80) else {
                return;
            };
            index += found;
            self.places.push_back(self.position + index as u64);
        }
    }
}

impl State {
    /// Returns the state after `byte`; not for [`Ground`](Self::Ground).
    fn behind(self, byte: u8) -> Self {
        match (self, byte) {
            (_, ESCAPE) => Self::Escape,
            // CAN and SUB end any sequence.
            (_, 0x18 | 0x1A) => Self::Ground,
            (Self::Escape, b'[') => Self::Control,
            (Self::Escape, b']') => Self::Command,
            (Self::Escape, b'P' | b'X' | b'^' | b'_') => Self::String,
            // Controls act within a sequence; bytes up to `/` precede its last one.
            (Self::Escape, 0x00..=0x2F) | (Self::Control, 0x00..=0x3F) => self,
            (Self::Command, 0x07) => Self::Ground,
            (Self::Command | Self::String, _) => self,
            _ => Self::Ground,
        }
    }
}

const ESCAPE: u8 = 0x1B;

/// Small compared to a ring's content, and large compared to a place's eight bytes.
pub(crate) const SPACING: u64 = 512;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// Checks that the places of `output` are before the bytes under a `^`, whatever pieces it comes in.
    #[track_caller]
    fn check(output: &str, expect: &str) {
        let expect: Vec<u64> = (0..)
            .zip(expect.bytes())
            .filter(|(_, mark)| *mark == b'^')
            .map(|(at, _)| at)
            .collect();
        for size in 1..=output.len() {
            let mut boundaries = Boundaries::new(1);
            output
                .as_bytes()
                .chunks(size)
                .for_each(|piece| boundaries.push(piece));
            assert_eq!(
                Vec::from(boundaries.places),
                expect,
                "{output:?} in pieces of {size}"
            );
        }
    }

    #[test]
    fn places_are_between_characters_and_sequences() {
        check("ab", "^^");
        check("é漢x", "^ ^  ^");
        check("\x1b[1;31mred\x1b[m", "^      ^^^^  ");
        check("\x1b(Bx\x1bMy", "^  ^^ ^");
        check("\x1b]0;title\x07x", "^         ^");
        check("\x1b]0;a\x1b\\x", "^      ^");
        check("\x1bPqé\x07\x1b\\x", "^       ^");
        // Ended by CAN, and by another sequence.
        check("\x1b[1\x18x", "^   ^");
        check("\x1b]x\x1b[mx", "^     ^");
        check("\x1b[1\nmx", "^    ^");
    }

    #[test]
    fn queries_are_blanked_whatever_pieces_they_come_in() {
        let output = "a\x1b[6n\x1b[cé\x1b[m\x1b]11;?\x1b\\b\x1b[1\x1b[5nc\x1b[6n";
        let blanked = "a\0\0\0\0\0\0\0é\x1b[m\0\0\0\0\0\0\0\0b\x1b[1\0\0\0\0c\x1b[6n";
        let last = (output.len() - 4) as u64;
        for size in 1..=output.len() {
            let mut boundaries = Boundaries::new(SPACING);
            let mut shown = Vec::new();
            for piece in output.as_bytes().chunks(size) {
                boundaries.push(piece);
            }
            for piece in output.as_bytes().chunks(size) {
                let piece = Bytes::copy_from_slice(piece);
                shown.extend(boundaries.queries().blank(shown.len() as u64, piece, last));
            }
            assert_eq!(
                String::from_utf8(shown).unwrap(),
                blanked,
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn places_are_few_and_found_again() {
        let mut boundaries = Boundaries::new(SPACING);
        for _ in 0..1000 {
            boundaries.push(b"0123456789");
        }
        assert!(boundaries.places.len() <= 20);
        assert_eq!(boundaries.first_from(0), 0);
        assert_eq!(boundaries.first_from(1), SPACING);
        boundaries.forget_before(SPACING + 1);
        assert_eq!(boundaries.first_from(0), 2 * SPACING);
        assert_eq!(boundaries.first_from(9999), 10_000);
    }
}
