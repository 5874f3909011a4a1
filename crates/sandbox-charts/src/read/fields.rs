//! The fields of a JSON object, read by name.

use serde_json::{Map, Value};

use crate::number;
use crate::unknown::UnknownReason;

/// A JSON object. A field that is `null` is absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, Malformed> {
        let object = value.as_object();
        object.map(Self).ok_or(Malformed::new("an object"))
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Malformed> {
        let text = self.get(name).map(text).transpose();
        let text = text.map_err(|malformed| malformed.within(name))?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// A number that is finite.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, Malformed> {
        let number = self.get(name).map(number).transpose();
        let number = number.map_err(|malformed| malformed.within(name))?;
        Ok(number.flatten())
    }

    /// What `read` makes of the items of a list, if anything.
    pub(super) fn list<T>(
        &self,
        name: &str,
        mut read: impl FnMut(&'a Value) -> Result<Option<T>, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let items = match self.get(name) {
            None => &[],
            Some(Value::Array(items)) => items.as_slice(),
            Some(_) => return Err(Malformed::new("a list").within(name)),
        };
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let item = read(item)
                .map_err(|malformed| malformed.within(&format!("[{index}]")).within(name))?;
            list.extend(item);
        }
        Ok(list)
    }
}

/// A text; a number is the text that spells it.
pub(super) fn text(value: &Value) -> Result<String, Malformed> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.as_f64().map_or_else(String::new, number::to_text)),
        _ => Err(Malformed::new("a text")),
    }
}

/// A number, or the text of one; `None` for what is not finite.
pub(super) fn number(value: &Value) -> Result<Option<f64>, Malformed> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(number.as_f64().filter(|number| number.is_finite())),
        Value::String(text) => number::from_text(text).map_err(|_| Malformed::new("a number")),
        _ => Err(Malformed::new("a number")),
    }
}

/// Something in the JSON is not what it should be.
#[derive(Debug)]
pub(super) struct Malformed {
    path: String,
    expected: &'static str,
}

impl Malformed {
    pub(super) const fn new(expected: &'static str) -> Self {
        Self {
            path: String::new(),
            expected,
        }
    }

    /// The same, seen from one step up.
    pub(super) fn within(self, step: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        Self {
            path: format!("{step}{dot}{}", self.path),
            expected: self.expected,
        }
    }
}

impl From<Malformed> for UnknownReason {
    fn from(Malformed { path, expected }: Malformed) -> Self {
        Self::Malformed { path, expected }
    }
}
