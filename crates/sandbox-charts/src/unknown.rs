//! Charts that are none of the six kinds.

use std::fmt;

use serde_json::Value;

use crate::png::Png;

/// A chart that is none of the six kinds, with the JSON that it was read from.
///
/// What prints it for debugging cuts long texts.
#[derive(Clone, PartialEq)]
pub struct UnknownChart {
    raw: Value,
    png: Option<Png>,
    reason: UnknownReason,
}

impl UnknownChart {
    pub(crate) fn new(raw: Value, reason: UnknownReason) -> Self {
        let png = raw.get("png").and_then(Value::as_str);
        let png = png.and_then(Png::from_base64);
        Self { raw, png, reason }
    }

    /// Returns the JSON as it came; `null` when there was none.
    pub const fn raw(&self) -> &Value {
        &self.raw
    }

    /// Returns why the chart is unknown.
    pub const fn reason(&self) -> &UnknownReason {
        &self.reason
    }

    /// Returns the title; `None` when there is none, or it is empty or no text.
    pub fn title(&self) -> Option<&str> {
        let title = self.raw.get("title").and_then(Value::as_str);
        title.filter(|title| !title.is_empty())
    }

    /// Returns the picture; `None` when there is none, or it is not base64.
    pub const fn png(&self) -> Option<&Png> {
        self.png.as_ref()
    }
}

impl fmt::Debug for UnknownChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnknownChart")
            .field("raw", &Abridged(&self.raw))
            .field("png", &self.png)
            .field("reason", &self.reason)
            .finish()
    }
}

/// Why a chart is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownReason {
    /// The extractor says so, or says nothing: what was drawn is of no kind that it knows, or nothing was drawn.
    Unclassified,
    /// The type is one that this version does not know.
    UnfamiliarType(String),
    /// A field is not what charts of its type have there.
    Malformed {
        /// Where in the JSON, such as `elements[2].points[0]`; empty for the chart as a whole.
        path: String,
        /// What should be there, such as `a list`.
        expected: &'static str,
    },
    /// The bytes are not JSON; the text says why.
    NotJson(String),
}

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclassified => f.write_str("the chart has no type"),
            Self::UnfamiliarType(name) => write!(f, "the type {name:?} is not known"),
            Self::Malformed { path, expected } if path.is_empty() => {
                write!(f, "the chart is not {expected}")
            }
            Self::Malformed { path, expected } => write!(f, "{path} is not {expected}"),
            Self::NotJson(why) => write!(f, "not JSON: {why}"),
        }
    }
}

/// Prints JSON for debugging, with the beginnings of long texts only.
struct Abridged<'a>(&'a Value);

impl fmt::Debug for Abridged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) if text.len() > LONG_TEXT => {
                let beginning: String = text.chars().take(LONG_TEXT / 8).collect();
                write!(f, "{beginning:?} and so on, {} bytes", text.len())
            }
            Value::Array(list) => f.debug_list().entries(list.iter().map(Abridged)).finish(),
            Value::Object(object) => {
                let entries = object.iter().map(|(key, value)| (key, Abridged(value)));
                f.debug_map().entries(entries).finish()
            }
            other => write!(f, "{other}"),
        }
    }
}

/// Texts of more bytes than this are cut.
const LONG_TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn debug_is_short() {
        let raw = json!({"png": "iVBO".repeat(1_000_000), "title": "short", "more": [1, null]});
        let unknown = UnknownChart::new(raw, UnknownReason::Unclassified);
        let debug = format!("{unknown:?}");
        assert!(debug.len() < 300, "{debug}");
        for part in [
            "4000000 bytes",
            "Png(3000000 bytes)",
            "\"short\"",
            "[1, null]",
        ] {
            assert!(debug.contains(part), "{debug}");
        }
    }

    #[test]
    fn reasons_say_what_is_wrong() {
        let malformed = |path: &str| UnknownReason::Malformed {
            path: path.to_owned(),
            expected: "a list",
        };
        for (reason, text) in [
            (UnknownReason::Unclassified, "the chart has no type"),
            (
                UnknownReason::UnfamiliarType("radar".to_owned()),
                "the type \"radar\" is not known",
            ),
            (malformed("x_ticks"), "x_ticks is not a list"),
            (malformed(""), "the chart is not a list"),
            (UnknownReason::NotJson("why".to_owned()), "not JSON: why"),
        ] {
            assert_eq!(reason.to_string(), text);
        }
    }
}
