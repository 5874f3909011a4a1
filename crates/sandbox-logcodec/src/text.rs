//! Reads each channel as UTF-8 while it arrives.

use std::borrow::Cow;
use std::str;

use crate::channel::Channel;

/// Turns chunks of bytes into text, for each channel by itself.
///
/// A character may be cut anywhere between chunks of its channel, and chunks of the other channel may come in between: its
/// bytes wait, three at most, until it is whole. What is not UTF-8 becomes U+FFFD by the rule of
/// [`String::from_utf8_lossy`], so that the texts of a channel, joined, are that function's text of its bytes, joined. A
/// byte order mark is passed on.
///
/// # Examples
///
/// ```
/// use sandbox_logcodec::{Channel, TextDecoder};
///
/// let mut text = TextDecoder::new();
/// // "é" is two bytes, and "😀" four.
/// assert_eq!(text.decode(Channel::Stdout, b"caf\xc3"), "caf");
/// assert_eq!(text.decode(Channel::Stderr, b"\xf0\x9f\x98"), "");
/// assert_eq!(text.decode(Channel::Stdout, b"\xa9!"), "é!");
/// assert_eq!(text.decode(Channel::Stderr, b"\x80"), "😀");
/// assert_eq!(text.finish(Channel::Stdout), "");
/// ```
#[derive(Debug, Clone, Default)]
pub struct TextDecoder {
    unfinished: [Unfinished; 2],
}

/// The beginning of a character.
#[derive(Debug, Clone, Copy, Default)]
struct Unfinished {
    bytes: [u8; 4],
    length: usize,
}

impl TextDecoder {
    /// Makes a decoder that stands at the beginning of both channels.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the text that `bytes` complete, without the unfinished character at their end.
    ///
    /// The text is borrowed when `bytes` are whole characters and nothing waited for them.
    pub fn decode<'a>(&mut self, channel: Channel, bytes: &'a [u8]) -> Cow<'a, str> {
        let unfinished = &mut self.unfinished[channel.index()];
        let (first, rest) = unfinished.complete(bytes);
        match (first, str::from_utf8(rest)) {
            (None, Ok(rest)) => Cow::Borrowed(rest),
            (None, Err(_)) => String::from_utf8_lossy(unfinished.split_off(rest)),
            (Some(first), _) => {
                let rest = String::from_utf8_lossy(unfinished.split_off(rest));
                Cow::Owned(format!("{first}{rest}"))
            }
        }
    }

    /// Ends a channel: returns U+FFFD if it ended within a character, and no text otherwise.
    ///
    /// Afterwards the decoder stands at the beginning of a new stream on that channel.
    pub fn finish(&mut self, channel: Channel) -> &'static str {
        let unfinished = std::mem::take(&mut self.unfinished[channel.index()]);
        if unfinished.length > 0 {
            "\u{FFFD}"
        } else {
            ""
        }
    }
}

impl Unfinished {
    /// Adds bytes until the character is whole or broken, and returns it with the bytes that it did not need.
    fn complete<'a>(&mut self, bytes: &'a [u8]) -> (Option<char>, &'a [u8]) {
        if self.length == 0 {
            return (None, bytes);
        }
        for (used, &byte) in bytes.iter().enumerate() {
            self.bytes[self.length] = byte;
            match str::from_utf8(&self.bytes[..=self.length]) {
                Ok(text) => {
                    self.length = 0;
                    return (text.chars().next(), &bytes[used + 1..]);
                }
                Err(error) if error.error_len().is_none() => self.length += 1,
                // The bytes so far are one error; this one may begin the next character.
                Err(_) => {
                    self.length = 0;
                    return (Some(char::REPLACEMENT_CHARACTER), &bytes[used..]);
                }
            }
        }
        (None, &[])
    }

    /// Keeps the unfinished character at the end of `bytes`, and returns what is before it.
    fn split_off<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        for length in 1..=bytes.len().min(3) {
            let (before, last) = bytes.split_at(bytes.len() - length);
            let is_unfinished = |error: str::Utf8Error| error.error_len().is_none();
            // Only what starts with the first byte of a character can be unfinished, so `last` is the last one.
            if str::from_utf8(last).is_err_and(is_unfinished) {
                self.bytes[..length].copy_from_slice(last);
                self.length = length;
                return before;
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Channel::{Stderr, Stdout};

    /// Decodes `bytes` in every cutting into three, with something on the other channel in between.
    fn check(bytes: &[u8]) {
        let expect = String::from_utf8_lossy(bytes);
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut decoder = TextDecoder::new();
                let mut text = String::new();
                for piece in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                    text.push_str(&decoder.decode(Stdout, piece));
                    decoder.decode(Stderr, b"\xc3");
                }
                text.push_str(decoder.finish(Stdout));
                assert_eq!(text, expect, "{bytes:x?} cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn characters_may_be_cut_anywhere() {
        check(b"");
        check("a\u{0}é漢😀\u{FEFF}\u{FFFD}\u{10FFFF}".as_bytes());
    }

    #[test]
    fn what_is_not_utf8_is_replaced_as_in_the_whole() {
        for bytes in [
            &b"\xff\xfe"[..],
            b"\x80\x80a",
            b"\xc3",
            b"\xc3\xc3\xa9",
            b"\xc0\xaf",
            b"\xe2\x82",
            b"\xe2\x82\xe2\x82\xac",
            b"\xed\xa0\x80\xed\xb0\x80",
            b"\xf0\x9f\x98",
            b"\xf0\x9f\x98a",
            b"\xf0\x80\x80\x80",
            b"\xf0\xc3\xa9",
            b"\xf4\x90\x80\x80",
            b"\xf8\x88\x80\x80\x80",
        ] {
            check(bytes);
        }
    }

    #[test]
    fn whole_text_is_borrowed() {
        let mut decoder = TextDecoder::new();
        let text = decoder.decode(Stdout, "é".as_bytes());
        assert!(matches!(text, Cow::Borrowed("é")));
        let text = decoder.decode(Stdout, b"e\xcc");
        assert!(matches!(text, Cow::Borrowed("e")));
        let text = decoder.decode(Stdout, b"\x81");
        assert!(matches!(text, Cow::Owned(text) if text == "\u{301}"));
        let text = decoder.decode(Stdout, b"x");
        assert!(matches!(text, Cow::Borrowed("x")));
    }

    #[test]
    fn a_channel_that_ends_within_a_character_says_so() {
        let mut decoder = TextDecoder::new();
        assert_eq!(decoder.decode(Stderr, b"\xf0\x9f"), "");
        assert_eq!(decoder.finish(Stdout), "");
        assert_eq!(decoder.finish(Stderr), "\u{FFFD}");
        assert_eq!(decoder.finish(Stderr), "");
        let text = decoder.decode(Stderr, b"\x98\x80");
        assert_eq!(text, "\u{FFFD}\u{FFFD}");
    }
}
