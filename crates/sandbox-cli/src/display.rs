//! Values that code shows, as JSON.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sandbox_process::{Bytes, Displayed};
use serde_json::Value;

/// Returns the contents of a value by media type: text as it is, JSON as such, everything else in base64.
pub(crate) fn to_json(shown: &Displayed) -> Value {
    let forms = shown.data.iter();
    forms
        .map(|(media_type, content)| (media_type.clone(), content_of(media_type, content)))
        .collect()
}

fn content_of(media_type: &str, content: &Bytes) -> Value {
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    if is_json && let Ok(value) = serde_json::from_slice(content) {
        return value;
    }
    let is_text = media_type.starts_with("text/")
        || is_json
        || ["application/javascript", "image/svg+xml"].contains(&media_type);
    match is_text {
        true => String::from_utf8_lossy(content).into(),
        false => BASE64_STANDARD.encode(content).into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn contents_are_written_by_their_media_type() {
        let forms = [
            ("text/html", &b"<b>"[..]),
            ("application/json", br#"{"a": 1}"#),
            ("application/x+json", b"{"),
            ("image/png", b"\xff\x00\x80"),
        ];
        let forms = forms.map(|(media_type, content)| (media_type.to_owned(), content.into()));
        let shown = Displayed {
            data: forms.into(),
            ..Displayed::default()
        };
        let expect = json!({
            "text/html": "<b>",
            "application/json": {"a": 1},
            "application/x+json": "{",
            "image/png": "/wCA",
        });
        assert_eq!(to_json(&shown), expect);
    }
}
