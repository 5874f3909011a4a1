//! Bytes to JSON, Python's kind of it too.

use serde_json::Value;

use crate::limits::{JSON_MEMORY_BYTES, JSON_NESTING};
use crate::unknown::UnknownReason;

/// Reads JSON. What is not quite JSON is read a second time, mended.
pub(crate) fn json(bytes: &[u8]) -> Result<Value, UnknownReason> {
    if memory(bytes) > JSON_MEMORY_BYTES {
        return Err(UnknownReason::NotJson("too many values".to_owned()));
    }
    let value = serde_json::from_slice(bytes)
        .or_else(|error| serde_json::from_str(&mended(bytes)).map_err(|_| error))
        .map_err(|error| UnknownReason::NotJson(error.to_string()))?;
    if nests_within(&value, JSON_NESTING) {
        Ok(value)
    } else {
        Err(UnknownReason::NotJson("nested too deeply".to_owned()))
    }
}

/// Returns about how much memory the values of a text take besides its strings, which take as much as in the text.
fn memory(bytes: &[u8]) -> usize {
    let mut memory = 0_usize;
    let mut rest = bytes;
    while let [byte, after @ ..] = rest {
        rest = match byte {
            b'"' => &rest[string_length(rest)..],
            _ => after,
        };
        memory += match byte {
            b',' => VALUE_BYTES,
            b'[' => LIST_BYTES,
            b'{' => OBJECT_BYTES,
            _ => 0,
        };
    }
    memory
}

/// What a value takes in a list that grows as it is read, and in an object that has several, with its name.
const VALUE_BYTES: usize = 64;

/// What the smallest list takes: it has room for four values.
const LIST_BYTES: usize = 128;

/// What the smallest object takes: a node of a tree has room for eleven members.
const OBJECT_BYTES: usize = 640;

/// Returns whether at most so many lists and objects hold one another. The parser has a limit of its own, so that this
/// recurses no deeper.
fn nests_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(list) => levels > 0 && list.iter().all(|one| nests_within(one, levels - 1)),
        Value::Object(object) => {
            levels > 0 && object.values().all(|one| nests_within(one, levels - 1))
        }
        _ => true,
    }
}

/// The text with `null` for the words that Python's `json` writes for numbers that JSON does not have.
fn mended(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut mended = String::with_capacity(text.len());
    let mut rest = &*text;
    while !rest.is_empty() {
        let (between, after) = rest.split_at(rest.find('"').unwrap_or(rest.len()));
        let between = between.replace("-Infinity", "null");
        mended.push_str(&between.replace("Infinity", "null").replace("NaN", "null"));
        let (string, after) = after.split_at(string_length(after.as_bytes()));
        mended.push_str(string);
        rest = after;
    }
    mended
}

/// The length of the string that begins here, with its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expect: Value) {
        assert_eq!(json(bytes), Ok(expect));
    }

    #[test]
    fn python_writes_words() {
        check(
            b"[1, NaN, Infinity, -Infinity]",
            json!([1, null, null, null]),
        );
        check(
            b"[NaN,\"NaN \\\" NaN\",NaN]",
            json!([null, "NaN \" NaN", null]),
        );
        check(b"[\"\\\\\",NaN,\"\\u0041\"]", json!(["\\", null, "A"]));
    }

    #[test]
    fn deep_json_is_no_chart() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(json(nested(JSON_NESTING).as_bytes()).is_ok());
        for levels in [JSON_NESTING + 1, 127, 128, 1_000_000] {
            for text in [
                nested(levels),
                "[".repeat(levels),
                "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels),
                "[NaN,".repeat(levels) + "1" + &"]".repeat(levels),
            ] {
                assert!(
                    matches!(json(text.as_bytes()), Err(UnknownReason::NotJson(_))),
                    "{levels} {}",
                    &text[..10]
                );
            }
        }
    }

    #[test]
    fn json_with_too_many_values_is_no_chart() {
        let too_many = Err(UnknownReason::NotJson("too many values".to_owned()));
        let list = |value: &str, count: usize| format!("[{}0]", format!("{value},").repeat(count));
        for (value, memory) in [
            ("0", VALUE_BYTES),
            ("[0]", VALUE_BYTES + LIST_BYTES),
            ("{\"\":0}", VALUE_BYTES + OBJECT_BYTES),
        ] {
            let most = (JSON_MEMORY_BYTES - LIST_BYTES) / memory;
            assert!(super::memory(list(value, most).as_bytes()) <= JSON_MEMORY_BYTES);
            assert_eq!(json(list(value, most + 1).as_bytes()), too_many, "{value}");
        }
        // Only values count.
        let text = format!(
            "[\"{}\\\"{{,\"]",
            "[,".repeat(JSON_MEMORY_BYTES / VALUE_BYTES)
        );
        assert!(json(text.as_bytes()).is_ok());
    }

    #[test]
    fn bytes_may_be_damaged_within_strings() {
        check(b"[\"caf\xe9\"]", json!(["caf\u{fffd}"]));
    }

    #[test]
    fn the_reason_is_that_of_the_bytes_as_they_came() {
        for bytes in [
            &b""[..],
            b"nope",
            b"[NaN",
            b"\"",
            b"\"\\",
            b"[1,]",
            b"NaNs",
            b"\xff",
            b"{} {}",
        ] {
            let strict = serde_json::from_slice::<Value>(bytes).unwrap_err();
            assert_eq!(json(bytes), Err(UnknownReason::NotJson(strict.to_string())));
        }
    }
}
