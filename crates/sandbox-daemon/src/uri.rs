//! Paths and queries without their escapes.

use std::borrow::Cow;

/// Takes the escapes out of a segment of a path; what is not UTF-8 becomes U+FFFD.
pub(crate) fn decode_segment(segment: &str) -> String {
    match unescape(segment) {
        Cow::Borrowed(text) => String::from_utf8_lossy(text).into_owned(),
        Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// The first value that a query gives to `name`.
pub(crate) fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let decode = |text: &str| decode_segment(&text.replace('+', " "));
    query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name).then(|| decode(value))
    })
}

fn unescape(text: &str) -> Cow<'_, [u8]> {
    let text = text.as_bytes();
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        if let [b'%', high, low, behind @ ..] = rest
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            bytes.push(high << 4 | low);
            rest = behind;
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    Cow::Owned(bytes)
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
