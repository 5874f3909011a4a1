//! File names, which are bytes, as text in JSON and in URLs.
//!
//! A byte that is not UTF-8 becomes the character of its number in U+EF80 to U+EFFF, which are for private use; so do the bytes of
//! these characters if a name contains them. So every name has one text that every client can send back, and no two names have
//! the same. In the query of a URL, bytes can also be escaped as they are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Returns the text of a path.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use sandbox_wire::names;
///
/// assert_eq!(names::to_text(Path::new("a/\u{e9}")), "a/\u{e9}");
/// assert_eq!(names::to_path(b"\xEE\xBF\xBF").as_os_str().as_encoded_bytes(), b"\xFF");
/// ```
#[must_use]
pub fn to_text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if ESCAPES.contains(&character) {
                escape(character.encode_utf8(&mut [0; 4]).as_bytes(), &mut text)
            } else {
                text.push(character)
            }
        }
        escape(chunk.invalid(), &mut text);
    }
    text
}

/// Returns the path of a text, or of any other bytes that a client sent in place of one; the inverse of [`to_text`].
#[must_use]
pub fn to_path(text: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        // The characters from U+EF80 to U+EFFF as UTF-8.
        if let [
            0xEE,
            middle @ (0xBE | 0xBF),
            last @ 0x80..=0xBF,
            behind @ ..,
        ] = rest
        {
            bytes.push(0x80 | (middle & 1) << 6 | (last & 0x3F));
            rest = behind;
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    PathBuf::from(from_bytes(bytes))
}

/// Returns the name of these bytes; on systems whose names are not bytes, with U+FFFD for what is not UTF-8.
#[must_use]
pub fn from_bytes(bytes: Vec<u8>) -> OsString {
    #[cfg(all(unix, not(sandbox_portable)))]
    return std::os::unix::ffi::OsStringExt::from_vec(bytes);
    #[cfg(any(not(unix), sandbox_portable))]
    return String::from_utf8_lossy(&bytes).into_owned().into();
}

/// Returns whether a text has characters that stand for bytes.
#[must_use]
pub fn has_escapes(text: &str) -> bool {
    text.contains(|character| ESCAPES.contains(&character))
}

/// Appends the characters for bytes whose highest bit is set.
fn escape(bytes: &[u8], text: &mut String) {
    let character = |byte: &u8| char::from_u32(0xEF00 + u32::from(*byte));
    text.extend(bytes.iter().filter_map(character));
}

const ESCAPES: std::ops::RangeInclusive<char> = '\u{EF80}'..='\u{EFFF}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_text_of_its_own() {
        let check = |name: &[u8], text: &str| {
            let path = to_path(name);
            assert_eq!(to_text(&path), text, "{name:?}");
            assert_eq!(to_path(text.as_bytes()), path);
            assert_eq!(has_escapes(text), text.as_bytes() != name);
        };
        check(b"", "");
        check(
            "a/\u{e9}\u{1F600}\u{EF7F}\u{F000}".as_bytes(),
            "a/\u{e9}\u{1F600}\u{EF7F}\u{F000}",
        );
        check(b"a\x80\xFFb\n", "a\u{EF80}\u{EFFF}b\n");
        check(b"\xC3", "\u{EFC3}");
        // A truncated character, and a surrogate.
        check(b"\xE2\x82", "\u{EFE2}\u{EF82}");
        check(b"\xED\xA0\x80", "\u{EFED}\u{EFA0}\u{EF80}");
        // A name that contains such a character itself.
        let path = PathBuf::from("\u{EFFF}");
        assert_eq!(to_text(&path), "\u{EFEE}\u{EFBF}\u{EFBF}");
        assert_eq!(to_path(to_text(&path).as_bytes()), path);
        // All bytes, in all pairs.
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let name = [first, second];
                let path = PathBuf::from(from_bytes(name.to_vec()));
                assert_eq!(to_path(to_text(&path).as_bytes()), path);
            }
        }
    }
}
