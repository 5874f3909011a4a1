//! Scans JSON as it arrives, so that a body that no handler accepts is refused before it is received or parsed.

use sandbox_wire::ErrorCode;

use crate::limits::REQUEST_VALUES;
use crate::service::Error;

/// Parses a JSON object byte by byte, as far as needed to find its end and to count its values.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    depth: usize,
    values: usize,
    place: Place,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    /// The parser is before the object.
    #[default]
    Before,
    Inside,
    InText,
    /// The parser is after a backslash.
    InEscape,
    /// The parser is after the object; the rest is ignored.
    Behind,
}

/// The reason why a body is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoObject,
    TooManyValues,
}

impl Outline {
    /// Parses the next bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        for byte in bytes {
            match (&self.place, byte) {
                (Place::Before, b' ' | b'\t' | b'\r' | b'\n') => {}
                (Place::Before, b'{') => {
                    self.place = Place::Inside;
                    self.depth = 1;
                }
                (Place::Before, _) => return Err(Refusal::NoObject),
                (Place::Inside, b'"') => self.place = Place::InText,
                (Place::Inside, b',') => {
                    // A container with one member has no comma; how deep values are built is
                    // bounded by serde_json's recursion limit.
                    self.values += 1;
                    if self.values >= REQUEST_VALUES {
                        return Err(Refusal::TooManyValues);
                    }
                }
                (Place::Inside, b'{' | b'[') => self.depth += 1,
                (Place::Inside, b'}' | b']') => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.place = Place::Behind;
                    }
                }
                (Place::InText, b'\\') => self.place = Place::InEscape,
                (Place::InText, b'"') | (Place::InEscape, _) => {
                    self.place = match self.place {
                        Place::InEscape => Place::InText,
                        _ => Place::Inside,
                    }
                }
                (Place::Behind, _) => return Ok(()),
                (Place::Inside | Place::InText, _) => {}
            }
        }
        Ok(())
    }
}

impl Refusal {
    pub(super) fn into_error(self, code: ErrorCode) -> Error {
        match self {
            Self::NoObject => Error::new(code, "invalid request body: it is not an object"),
            Self::TooManyValues => Error::too_many_values(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(body: &[u8]) -> Result<(), Refusal> {
        let whole = Outline::default().feed(body);
        let mut outline = Outline::default();
        let bytewise = body.chunks(1).try_for_each(|byte| outline.feed(byte));
        assert_eq!(whole, bytewise);
        whole
    }

    #[test]
    fn what_no_handler_takes_is_seen_at_once() {
        for good in [
            &b""[..],
            b" \n\t\r{",
            b"{}",
            br#"{"a":"[,{\",\\"} ]"#,
            b"{]",
            b"{}}}}",
        ] {
            assert_eq!(outline(good), Ok(()), "{good:?}");
        }
        for bad in [&b"["[..], b"[0,0", b" null", b"\xef\xbb\xbf{}", b"}"] {
            assert_eq!(outline(bad), Err(Refusal::NoObject), "{bad:?}");
        }
    }

    #[test]
    fn values_are_counted_where_they_are_values() {
        let many = |count: usize, piece: &str, end: &str| {
            outline(format!("{{\"a\":{}{end}", piece.repeat(count)).as_bytes())
        };
        assert_eq!(many(REQUEST_VALUES - 1, "0,", "0}"), Ok(()));
        let refused = Err(Refusal::TooManyValues);
        assert_eq!(many(REQUEST_VALUES, "0,", "0}"), refused);
        assert_eq!(many(REQUEST_VALUES, "[],", "0}"), refused);
        let text = format!("{{\"a\":\"{}\"}}", ",".repeat(REQUEST_VALUES));
        assert_eq!(outline(text.as_bytes()), Ok(()));
        let behind = format!("{{}}{}", ",".repeat(REQUEST_VALUES));
        assert_eq!(outline(behind.as_bytes()), Ok(()));
    }
}
