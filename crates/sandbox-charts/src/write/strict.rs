//! What official clients accept of JSON that is no chart of ours.

use serde_json::{Map, Value};

use crate::chart_type::ChartType;

/// A chart of any JSON, without what a client would choke on.
pub(super) fn chart(raw: &Value) -> Value {
    strict(raw, &[CHART])
}

/// The same for a chart that is an element of another.
pub(super) fn part(raw: &Value) -> Value {
    strict(raw, &[CHART, ELEMENT])
}

/// Whether a client accepts this as a chart as it is.
pub(crate) fn is_strict(raw: &Value) -> bool {
    raw.as_object()
        .is_some_and(|object| accepted(object, &[CHART]).1)
}

fn strict(raw: &Value, tables: &[&[(&str, Form)]]) -> Value {
    let (mut object, is_whole) = raw
        .as_object()
        .map_or_else(|| (Map::new(), false), |object| accepted(object, tables));
    let name = object.get("type").and_then(Value::as_str);
    let is_ours = name.is_none_or(|name| ChartType::from_name(name) != ChartType::Unknown);
    if name.is_none() || (is_ours && !is_whole) {
        object.insert("type".to_owned(), ChartType::Unknown.as_str().into());
    }
    let elements = object.entry("elements").or_insert(Value::Null);
    if elements.is_null() {
        *elements = Value::Array(Vec::new());
    }
    Value::Object(object)
}

/// The fields of an object that are as the tables say, or in none of them; and whether these are all.
fn accepted(object: &Map<String, Value>, tables: &[&[(&str, Form)]]) -> (Map<String, Value>, bool) {
    let mut is_whole = true;
    let mut fields = Map::new();
    for (name, value) in object {
        let mut forms = tables.iter().copied().flatten();
        match forms.find(|(known, _)| known == name) {
            Some((_, Form::Elements)) if value.is_array() => {
                let (elements, are_whole) = accepted_elements(value);
                is_whole &= are_whole;
                fields.insert(name.clone(), elements);
            }
            Some((_, form)) if !form.fits(value) => is_whole = false,
            _ => {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
    (fields, is_whole)
}

fn accepted_elements(elements: &Value) -> (Value, bool) {
    let mut is_whole = true;
    let mut kept = Vec::new();
    for element in elements.as_array().into_iter().flatten() {
        if let Some(element) = element.as_object() {
            let (element, all) = accepted(element, &[ELEMENT]);
            is_whole &= all;
            kept.push(Value::Object(element));
        } else {
            is_whole = false;
        }
    }
    (Value::Array(kept), is_whole)
}

/// The JSON that a field must have, unless it is `null`.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Number,
    Texts,
    Numbers,
    Points,
    Elements,
}

impl Form {
    fn fits(self, value: &Value) -> bool {
        let all =
            |fits: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(fits));
        value.is_null()
            || match self {
                Self::Text => value.is_string(),
                Self::Number => value.is_number(),
                Self::Texts => all(Value::is_string),
                Self::Numbers => all(Value::is_number),
                Self::Points => all(|point| Self::Numbers.fits(point) && !point.is_null()),
                Self::Elements => value.is_array(),
            }
    }
}

/// The fields of a chart.
const CHART: &[(&str, Form)] = &[
    ("type", Form::Text),
    ("title", Form::Text),
    ("png", Form::Text),
    ("x_label", Form::Text),
    ("y_label", Form::Text),
    ("x_ticks", Form::Numbers),
    ("y_ticks", Form::Numbers),
    ("x_tick_labels", Form::Texts),
    ("y_tick_labels", Form::Texts),
    ("x_scale", Form::Text),
    ("y_scale", Form::Text),
    ("elements", Form::Elements),
];

/// The fields of an element of whatever kind; the kinds are one type to a client.
const ELEMENT: &[(&str, Form)] = &[
    ("type", Form::Text),
    ("title", Form::Text),
    ("png", Form::Text),
    ("x_label", Form::Text),
    ("y_label", Form::Text),
    ("label", Form::Text),
    ("group", Form::Text),
    ("value", Form::Text),
    ("points", Form::Points),
    ("angle", Form::Number),
    ("radius", Form::Number),
    ("min", Form::Number),
    ("first_quartile", Form::Number),
    ("median", Form::Number),
    ("third_quartile", Form::Number),
    ("max", Form::Number),
    ("outliers", Form::Numbers),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whether a client accepts a chart with this field, and one whose element has it.
    #[track_caller]
    fn check(field: &str, value: Value, in_chart: bool, in_element: bool) {
        let object = json!({ field: value });
        assert_eq!(is_strict(&object), in_chart, "{object}");
        assert_eq!(
            is_strict(&json!({"elements": [object]})),
            in_element,
            "{object}"
        );
    }

    #[test]
    fn fields_have_forms() {
        for field in ["type", "title", "png", "x_label", "y_label"] {
            check(field, json!("a"), true, true);
            check(field, Value::Null, true, true);
            check(field, json!(1), false, false);
        }
        for field in ["label", "group", "value"] {
            check(field, json!("1"), true, true);
            check(field, json!(1), true, false);
        }
        for field in [
            "angle",
            "radius",
            "min",
            "first_quartile",
            "median",
            "third_quartile",
            "max",
        ] {
            check(field, json!(1), true, true);
            check(field, json!("1"), true, false);
        }
        for field in ["x_scale", "y_scale"] {
            check(field, json!("log"), true, true);
            check(field, json!(1), false, true);
        }
        for field in ["x_ticks", "y_ticks"] {
            check(field, json!([1, 2.5]), true, true);
            check(field, json!([1, null]), false, true);
            check(field, json!(["1"]), false, true);
        }
        for field in ["x_tick_labels", "y_tick_labels"] {
            check(field, json!(["a"]), true, true);
            check(field, json!([null]), false, true);
        }
        check("outliers", json!([1]), true, true);
        check("outliers", json!(["1"]), true, false);
        check("points", json!([[1, 2], [], [1]]), true, true);
        for points in [
            json!([1]),
            json!([null]),
            json!([["a", 1]]),
            json!([[1, null]]),
            json!({}),
        ] {
            check("points", points, true, false);
        }
        check("other", json!([{"value": 1}]), true, true);
    }

    #[test]
    fn elements_are_objects() {
        for (elements, accepted) in [
            (json!([]), true),
            (json!([{}]), true),
            (Value::Null, true),
            (json!([null]), false),
            (json!([1]), false),
            (json!({}), false),
        ] {
            assert_eq!(
                is_strict(&json!({"elements": elements})),
                accepted,
                "{elements}"
            );
        }
        assert!(!is_strict(&json!([])));
    }

    #[test]
    fn what_lost_a_field_is_unknown() {
        let damaged = json!({"type": "bar", "title": 1, "elements": [{"value": 1, "label": "a"}, 2], "more": 3});
        let expect = json!({"type": "unknown", "elements": [{"label": "a"}], "more": 3});
        assert_eq!(chart(&damaged), expect);
        let radar = json!({"type": "radar", "title": 1, "elements": null});
        assert_eq!(chart(&radar), json!({"type": "radar", "elements": []}));
        for nothing in [Value::Null, json!({}), json!({"type": 5, "elements": 5})] {
            assert_eq!(chart(&nothing), json!({"type": "unknown", "elements": []}));
        }
        let whole = json!({"type": "bar", "elements": [{"value": "12 apples"}]});
        assert_eq!(chart(&whole), whole);
    }

    #[test]
    fn a_part_is_an_element_too() {
        let raw = json!({"type": "radar", "value": 3, "elements": [{"value": 3}]});
        assert_eq!(part(&raw), json!({"type": "radar", "elements": [{}]}));
        assert_eq!(chart(&raw)["value"], 3);
    }
}
