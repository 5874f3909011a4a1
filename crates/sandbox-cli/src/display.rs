//! Values that code shows, as JSON.

use sandbox_process::Display;
use sandbox_wire::display;
use serde_json::Value;

/// Returns the contents of a value by media type: text as it is, JSON as such, everything else in base64.
pub(crate) fn to_json(shown: &Display) -> Value {
    let forms = shown.data.iter();
    forms
        .map(|(media_type, content)| (media_type.clone(), display::value(media_type, content)))
        .collect()
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
        let shown = Display {
            data: forms.into(),
            ..Display::default()
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
