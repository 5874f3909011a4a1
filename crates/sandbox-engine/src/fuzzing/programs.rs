//! Programs through the compiler.

use crate::code::task::{Task, decode, encode, work};
use crate::translator::settings::Settings;

/// Checks that any program is translated or refused, the same each time, and that the lines of a cell stay in their places.
///
/// Runs in this process, not in a translator, so the nesting is bounded: only a translator survives a stack overflow;
/// a panic is a finding.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn programs(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if nesting(&text) > NESTING {
        return;
    }
    let kept = Task::JavaScriptCell.run(&text);
    let kept = kept.expect("a cell of JavaScript is never refused").code;
    assert_eq!(kept.matches('\n').count(), text.matches('\n').count());
    for number in [1, 2, 3, 0x00, 0x04, 0x10, 0x14, 0x30, 0x40] {
        let request = [&[number], text.as_bytes()].concat();
        let response = work(&request);
        assert_eq!(work(&request), response);
        assert!(decode(response).is_some());
    }
}

/// Checks that any bytes are a request or none, any bytes are a response or none, and that settings survive as text.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn translator_requests(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(settings) = Settings::parse(&text) {
        assert_eq!(Settings::parse(&settings.to_text()), Some(settings));
    }
    match (input, decode(input.to_vec())) {
        ([2, report @ ..], response) => {
            assert_eq!(response.is_some(), std::str::from_utf8(report).is_ok());
        }
        (_, Some(response)) => {
            let again = decode(encode(response.clone()));
            assert_eq!(again, Some(response));
        }
        (_, None) => {}
    }
    if std::str::from_utf8(input).is_err() {
        let request = [&[3], input].concat();
        assert!(work(&request).is_empty());
    }
}

/// Returns an upper bound of the nesting depth of a text.
fn nesting(text: &str) -> usize {
    let opens = |byte: &u8| !byte.is_ascii_alphanumeric() && !byte.is_ascii_whitespace();
    text.bytes().filter(opens).count()
}

/// Well within the stack of a test's thread.
const NESTING: usize = 600;
