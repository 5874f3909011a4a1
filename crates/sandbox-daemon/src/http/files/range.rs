//! The range of a file that a request asks for (RFC 9110, section 14).

use http::{HeaderMap, header};

/// The bytes that are requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requested {
    /// All of them: no range, several ranges, or one of another file.
    Whole,
    /// At least one byte.
    Part { offset: u64, length: u64 },
    /// None that the file has.
    Beyond,
}

/// Returns the range of a file with this tag and size that the headers ask for.
pub(super) fn requested(headers: &HeaderMap, tag: &str, size: u64) -> Requested {
    let text = |name| headers.get(name)?.to_str().ok();
    // A date is not compared: more than one version of a file may have the same second.
    if text(header::IF_RANGE).is_some_and(|wanted| wanted != tag) {
        return Requested::Whole;
    }
    let range = text(header::RANGE).and_then(|range| range.strip_prefix("bytes="));
    // An invalid range is ignored, and so may several be.
    let parsed = range.and_then(|range| parse(range.trim(), size));
    parsed.unwrap_or(Requested::Whole)
}

/// Returns the bytes of `FIRST-LAST`, `FIRST-` or `-COUNT`; `None` if it is none of these.
fn parse(range: &str, size: u64) -> Option<Requested> {
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        // Only a number that is too large fails, and it is beyond the end of any file.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (offset, end) = match (first, last) {
        ("", "") => return None,
        // A suffix that is longer than the file is the whole file (RFC 9110, section 14.1.2).
        ("", count) => (size.saturating_sub(number(count)?), size),
        (first, "") => (number(first)?, size),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            // RFC 9110, section 14.1.1: such a range is invalid, and ignored as if there were none.
            if last < first {
                return None;
            }
            (first, size.min(last.saturating_add(1)))
        }
    };
    Some(match end.checked_sub(offset) {
        None | Some(0) => Requested::Beyond,
        Some(length) => Requested::Part { offset, length },
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn ranges_are_as_the_standard_says() {
        use Requested::{Beyond, Whole};
        let check = |range: &str, size, expect| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
            assert_eq!(requested(&headers, "\"a\"", size), expect, "{range}");
            headers.insert(header::IF_RANGE, HeaderValue::from_static("\"a\""));
            assert_eq!(requested(&headers, "\"a\"", size), expect, "{range}");
            headers.insert(header::IF_RANGE, HeaderValue::from_static("\"b\""));
            assert_eq!(requested(&headers, "\"a\"", size), Whole, "{range}");
        };
        let part = |offset, length| Requested::Part { offset, length };
        check("bytes=0-0", 10, part(0, 1));
        check("bytes=2-5", 10, part(2, 4));
        check("bytes=2-", 10, part(2, 8));
        check("bytes=-3", 10, part(7, 3));
        check("bytes=-30", 10, part(0, 10));
        check("bytes=9-99999999999999999999", 10, part(9, 1));
        check("bytes=10-", 10, Beyond);
        check("bytes=99999999999999999999-", 10, Beyond);
        check("bytes=-0", 10, Beyond);
        check("bytes=0-", 0, Beyond);
        for ignored in [
            "bytes=5-2",
            "bytes=0-1,3-4",
            "bytes=-",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes= ",
            "lines=1-2",
            "bytes",
        ] {
            check(ignored, 10, Whole);
        }
        assert_eq!(requested(&HeaderMap::new(), "\"a\"", 10), Whole);
    }
}
