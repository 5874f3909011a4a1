//! Numbers as JSON and as text.

use std::num::ParseFloatError;

use serde_json::Value;

/// A whole number as an integer; `None` for what JSON cannot carry.
pub(crate) fn to_json(number: f64) -> Option<Value> {
    if number.fract() == 0.0 && number.abs() <= LAST_EXACT {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is whole and has at most 53 bits"
        )]
        return Some(Value::from(number as i64));
    }
    serde_json::Number::from_f64(number).map(Value::Number)
}

/// A number as a person would write it: 3, not 3.0; 0.5; 1e-9.
pub(crate) fn to_text(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if (1e-6..1e21).contains(&size) {
        number.to_string()
    } else {
        format!("{number:e}")
    }
}

/// Reads a number. NaN, infinity, the instant that is none, and nothing at all are absent.
pub(crate) fn from_text(text: &str) -> Result<Option<f64>, ParseFloatError> {
    let text = text.trim();
    if text.is_empty() || text == "NaT" {
        return Ok(None);
    }
    let number: f64 = text.parse()?;
    Ok(Some(number).filter(|number| number.is_finite()))
}

/// Beyond it, not every integer is a number.
const LAST_EXACT: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_integers_in_json() {
        let text = |number| to_json(number).map(|value| value.to_string());
        assert_eq!(text(3.0).as_deref(), Some("3"));
        assert_eq!(text(-0.0).as_deref(), Some("0"));
        assert_eq!(text(-2.5).as_deref(), Some("-2.5"));
        assert_eq!(text(LAST_EXACT).as_deref(), Some("9007199254740992"));
        assert_eq!(to_json(1e300), Some(json!(1e300)));
        assert_eq!(to_json(f64::NAN), None);
        assert_eq!(to_json(f64::NEG_INFINITY), None);
    }

    #[test]
    fn text_is_what_a_person_would_write() {
        for (number, text) in [
            (3.0, "3"),
            (-0.0, "0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-1_000_000.0, "-1000000"),
            (0.000_001, "0.000001"),
            (1.5e-9, "1.5e-9"),
            (1e20, "100000000000000000000"),
            (1e21, "1e21"),
        ] {
            assert_eq!(to_text(number), text);
            assert_eq!(from_text(text), Ok(Some(number)));
        }
    }

    #[test]
    fn text_is_read_as_programs_write_it() {
        for text in ["3", "3.0", " 3 ", "+3", "3e0", "0.3E1"] {
            assert_eq!(from_text(text), Ok(Some(3.0)), "{text}");
        }
        for text in ["", " ", "nan", "NaN", "NaT", "inf", "-Infinity", "1e999"] {
            assert_eq!(from_text(text), Ok(None), "{text}");
        }
        for text in ["a", "3 apples", "1,5", "0x10", "--3", "1_000"] {
            assert!(from_text(text).is_err(), "{text}");
        }
    }
}
