//! A JSON object in the making.

use serde_json::{Map, Value};

use crate::axis::{Axis, placed_ticks};
use crate::number;
use crate::png::Png;

/// An object without fields for what is absent or empty.
#[derive(Debug, Default)]
pub(crate) struct Object(Map<String, Value>);

impl Object {
    pub(crate) fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.set(name, Value::from(text));
        }
    }

    pub(crate) fn png(&mut self, png: Option<&Png>) {
        self.text("png", png.map(Png::to_base64).as_deref());
    }

    pub(crate) fn number(&mut self, name: &str, number: Option<f64>) {
        if let Some(number) = number.and_then(number::to_json) {
            self.set(name, number);
        }
    }

    pub(crate) fn list(&mut self, name: &str, list: Vec<Value>) {
        if !list.is_empty() {
            self.set(name, Value::Array(list));
        }
    }

    /// Writes the fields of an axis, called as those of [`X_FIELDS`](crate::axis::X_FIELDS).
    pub(crate) fn axis(&mut self, names: [&str; 4], axis: Axis<'_>) {
        let ticks = axis
            .ticks
            .iter()
            .map(|tick| Some(*tick).filter(|tick| tick.is_finite()));
        let (ticks, labels) = placed_ticks(ticks.collect(), axis.tick_labels.to_vec());
        let [label_name, ticks_name, tick_labels_name, scale_name] = names;
        self.text(label_name, axis.label);
        self.list(ticks_name, numbers(ticks));
        self.list(
            tick_labels_name,
            labels.into_iter().map(Value::from).collect(),
        );
        self.text(scale_name, axis.scale.map(|scale| scale.as_str()));
    }

    /// Writes `elements`, a list in any case.
    pub(crate) fn elements(&mut self, elements: impl Iterator<Item = Value>) {
        self.set("elements", elements.collect());
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

/// Those that JSON can carry.
pub(crate) fn numbers(numbers: impl IntoIterator<Item = f64>) -> Vec<Value> {
    numbers.into_iter().filter_map(number::to_json).collect()
}
