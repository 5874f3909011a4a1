//! The contents of a value that code shows, in JSON: text as it is, JSON as such, everything else in base64.
//!
//! ```
//! use sandbox_wire::display::{content, value};
//!
//! assert_eq!(value("text/html", b"<b>"), "<b>");
//! assert_eq!(value("image/png", b"\x89PNG"), "iVBORw==");
//! assert_eq!(content("image/png", "iVBORw==".into()), b"\x89PNG");
//! ```

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// Returns the JSON of a content of this media type. Text that is not UTF-8 has U+FFFD, and invalid JSON becomes
/// text.
#[must_use]
pub fn value(media_type: &str, content: &[u8]) -> Value {
    let is_json = is_json(media_type);
    if is_json && let Ok(value) = serde_json::from_slice(content) {
        return value;
    }
    if is_json || is_text(media_type) {
        String::from_utf8_lossy(content).into()
    } else {
        BASE64_STANDARD.encode(content).into()
    }
}

/// Returns the content of this media type from its JSON.
///
/// A string that is not base64 where it should be is text, as for media types that only the daemon considers text.
#[must_use]
pub fn content(media_type: &str, value: Value) -> Vec<u8> {
    match value {
        Value::String(text) if is_text(media_type) => text.into_bytes(),
        Value::String(text) if !is_json(media_type) => BASE64_STANDARD
            .decode(&text)
            .unwrap_or_else(|_| text.into_bytes()),
        json => json.to_string().into_bytes(),
    }
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || ["application/javascript", "image/svg+xml"].contains(&media_type)
}
