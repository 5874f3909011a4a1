//! Deserialization that accepts more than is serialized.

use serde::de::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Deserializes `null` as the default, like an absent field; for `deserialize_with`.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The fields of an object some of which may have other names and types; those that are `null` are absent.
///
/// Serde's `alias` would refuse an object that has both names.
pub(crate) struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = Map::deserialize(deserializer)?;
        object.retain(|_, value| !value.is_null());
        Ok(Self(object))
    }
}

impl Fields {
    /// Moves the value of a field that some servers call `older` to `name`, unless that has one.
    pub(crate) fn rename(&mut self, older: &str, name: &str) {
        if let Some(value) = self.0.remove(older)
            && !self.0.contains_key(name)
        {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// Converts a field of another type, such as a list of messages, to a text.
    pub(crate) fn stringify(&mut self, name: &str) {
        if let Some(value) = self.0.get_mut(name).filter(|value| !value.is_string()) {
            *value = Value::String(value.to_string());
        }
    }

    /// Returns the remaining fields, to be deserialized by a derive.
    pub(crate) fn into_object(self) -> Map<String, Value> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(before: Value, change: impl FnOnce(&mut Fields), after: Value) {
        let mut fields = Fields::deserialize(before).unwrap();
        change(&mut fields);
        assert_eq!(Value::Object(fields.into_object()), after);
    }

    #[test]
    fn the_newer_name_counts() {
        let check = |before, after| check(before, |fields| fields.rename("old", "new"), after);
        check(json!({"old": 1}), json!({"new": 1}));
        check(json!({"new": 2}), json!({"new": 2}));
        check(json!({"old": 1, "new": 2}), json!({"new": 2}));
        check(json!({"old": 1, "new": null}), json!({"new": 1}));
        check(json!({"old": null}), json!({}));
        check(json!({}), json!({}));
    }

    #[test]
    fn anything_becomes_text() {
        let check = |before, after| check(before, |fields| fields.stringify("a"), after);
        check(json!({"a": ["b", 1]}), json!({"a": "[\"b\",1]"}));
        check(json!({"a": 5}), json!({"a": "5"}));
        check(json!({"a": "b"}), json!({"a": "b"}));
        check(json!({"a": null}), json!({}));
        check(json!({}), json!({}));
    }
}
