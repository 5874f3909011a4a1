//! Lone surrogates in the escapes of JSON.

use std::borrow::Cow;

/// Replaces every `\uD800`..`\uDFFF` that is not half of a pair, which JSON parsers refuse, by U+FFFD.
pub(crate) fn mend_surrogates(text: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find('\\') {
        let start = at + found;
        at = start + 2; // past the escape: both its characters are ASCII where it is valid
        match surrogate(&text[start..]) {
            Some(0xD800..=0xDBFF)
                if matches!(
                    text.get(start + 6..).and_then(surrogate),
                    Some(0xDC00..=0xDFFF)
                ) =>
            {
                at = start + 12;
            }
            Some(_) => {
                mended.push_str(&text[copied..start]);
                mended.push_str("\\ufffd");
                at = start + 6;
                copied = at;
            }
            None => {}
        }
        if !text.is_char_boundary(at) || at > text.len() {
            break; // not JSON: the parser says so
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    mended.push_str(&text[copied..]);
    Cow::Owned(mended)
}

/// Returns the surrogate of an escape at the beginning of `text`.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let unit = u16::from_str_radix(digits, 16).ok()?;
    (0xD800..=0xDFFF).contains(&unit).then_some(unit)
}
