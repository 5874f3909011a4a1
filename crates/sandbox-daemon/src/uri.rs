//! Decoding of paths and queries.
//!
//! By hand, since what `percent-encoding` does is the smaller part: `%2F` and `%25` stay in a path, and an escape that is none is refused.

use std::borrow::Cow;

use sandbox_wire::ErrorCode;

use crate::service::Error;

/// Replaces the escapes in a path by the characters that they encode, so that each path has one spelling.
///
/// `%2F` and `%25` are retained: the first is a part of its segment, and the second would otherwise
/// form an escape with the text after it. [`decode_segment`] replaces them in a segment.
///
/// # Errors
///
/// Returns 400 for a `%` without two hexadecimal digits after it.
pub(crate) fn normalize(path: &str) -> Result<Cow<'_, str>, Error> {
    if !path.contains('%') {
        return Ok(Cow::Borrowed(path));
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, behind @ ..] = rest {
        (rest, _) = match (first, escape(rest)) {
            (b'%', None) => {
                let message = "the path has a % without two hexadecimal digits after it";
                return Err(Error::new(ErrorCode::BadRequest, message));
            }
            (_, Some((b'/', behind))) => (behind, bytes.extend_from_slice(b"%2F")),
            (_, Some((b'%', behind))) => (behind, bytes.extend_from_slice(b"%25")),
            (_, Some((byte, behind))) => (behind, bytes.push(byte)),
            (byte, None) => (behind, bytes.push(*byte)),
        };
    }
    Ok(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Decodes the escapes in a segment of a path; bytes that are not UTF-8 become U+FFFD.
pub fn decode_segment(segment: &str) -> String {
    String::from_utf8_lossy(&decode_bytes(segment)).into_owned()
}

fn decode_bytes(segment: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, behind @ ..] = rest {
        let (byte, behind) = escape(rest).unwrap_or((*first, behind));
        bytes.push(byte);
        rest = behind;
    }
    bytes
}

/// Returns the first value of `name` in a query.
pub fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let value = query_bytes(query, name)?;
    Some(String::from_utf8_lossy(&value).into_owned())
}

/// Returns the first value of `name` in a query, as bytes.
pub fn query_bytes(query: Option<&str>, name: &str) -> Option<Vec<u8>> {
    // A blank in the query of a form, but not in a path.
    let decode = |text: &str| decode_bytes(&text.replace('+', " "));
    query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name.as_bytes()).then(|| decode(value))
    })
}

/// Returns the byte of an escape at the beginning of `text`, and the text after it.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'%', high, low, behind @ ..] => Some((digit(*high)? << 4 | digit(*low)?, behind)),
        _ => None,
    }
}

fn digit(character: u8) -> Option<u8> {
    let digit = char::from(character).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read() {
        assert_eq!(decode_segment("a%20b%C3%A9+"), "a bé+");
        assert_eq!(decode_segment("%2e%2E%2f%00%"), "../\0%");
        assert_eq!(decode_segment("%zz%f%ff"), "%zz%f\u{FFFD}");
        assert_eq!(decode_segment("%é%+1"), "%é%+1");
    }

    #[test]
    fn a_path_has_one_spelling() {
        let check = |path, expect| assert_eq!(normalize(path).unwrap(), expect);
        check("/version", "/version");
        check("/%76ersion", "/version");
        check("/a%2fb/%2F", "/a%2Fb/%2F");
        check("/%2576", "/%2576");
        check("/%2e%2E/%C3%A9/%ff+", "/../é/\u{FFFD}+");
        for bad in ["/%", "/a%7", "/%zz", "/%%41"] {
            assert!(normalize(bad).is_err(), "{bad}");
        }
        assert_eq!(decode_segment(&normalize("%2576%2f").unwrap()), "%76/");
    }

    #[test]
    fn queries_are_read() {
        let value = |query, name| query_value(Some(query), name);
        assert_eq!(value("a=1&b=2&a=3", "a").as_deref(), Some("1"));
        assert_eq!(value("a=x%26y+z%2B", "a").as_deref(), Some("x&y z+"));
        assert_eq!(value("%61=1", "a").as_deref(), Some("1"));
        assert_eq!(value("a", "a").as_deref(), Some(""));
        assert_eq!(value("aa=1&=2", "a"), None);
        assert_eq!(query_value(None, "a"), None);
    }
}
