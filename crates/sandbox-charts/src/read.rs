//! From JSON: every dialect that is met in the field, and never a failure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::axes::days_of_iso;
use crate::{
    BarChart, BarElement, BoxAndWhiskerChart, BoxElement, Chart, ChartType, CompositeChart,
    LineChart, PieChart, PieElement, PointSeries, Scale, ScatterChart, UnknownChart,
};

/// Reads a chart with two axes; its elements with `$element`.
macro_rules! with_axes {
    ($name:ident, $object:expr, $element:expr) => {
        elements($object, $element).map(|elements| $name {
            title: text($object, "title"),
            png: picture($object),
            x_label: text($object, "x_label"),
            y_label: text($object, "y_label"),
            x_ticks: numbers($object, "x_ticks"),
            x_tick_labels: texts($object, "x_tick_labels"),
            x_scale: text($object, "x_scale").map(|name| Scale::from_name(&name)),
            y_ticks: numbers($object, "y_ticks"),
            y_tick_labels: texts($object, "y_tick_labels"),
            y_scale: text($object, "y_scale").map(|name| Scale::from_name(&name)),
            elements,
        })
    };
}

/// How deep composites may nest; matplotlib's do not at all.
const DEPTH: usize = 8;

impl Chart {
    /// Reads a chart.
    ///
    /// Missing and `null` fields are absent, unknown ones are passed over. Numbers may be texts and labels numbers;
    /// dates may be ISO 8601 texts. What an element lacks or cannot say is left out of it. A chart whose type or whose
    /// elements' form is not known becomes [`Chart::Unknown`]. A picture that is not base64 is absent.
    pub fn from_json(value: &Value) -> Self {
        read(value, DEPTH)
    }

    /// Reads a chart from the text of a JSON object. What is no JSON becomes [`Chart::Unknown`] with the reason.
    pub fn from_slice(bytes: &[u8]) -> Self {
        match serde_json::from_slice(bytes) {
            Ok(value) => Self::from_json(&value),
            Err(error) => {
                let raw = Value::String(String::from_utf8_lossy(bytes).into_owned());
                unknown(raw, Some(format!("not JSON: {error}")))
            }
        }
    }
}

fn read(value: &Value, depth: usize) -> Chart {
    let Value::Object(object) = value else {
        return unknown(value.clone(), Some("not an object".to_owned()));
    };
    let chart_type = object
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let result = match ChartType::from_name(chart_type) {
        ChartType::Line => with_axes!(LineChart, object, point_series).map(Chart::Line),
        ChartType::Scatter => with_axes!(ScatterChart, object, point_series).map(Chart::Scatter),
        ChartType::Bar => with_axes!(BarChart, object, bar).map(Chart::Bar),
        ChartType::BoxAndWhisker => {
            with_axes!(BoxAndWhiskerChart, object, box_element).map(Chart::BoxAndWhisker)
        }
        ChartType::Pie => elements(object, wedge).map(|elements| {
            let (title, png) = (text(object, "title"), picture(object));
            Chart::Pie(PieChart {
                title,
                png,
                elements,
            })
        }),
        ChartType::Composite if depth > 0 => Ok(Chart::Composite(CompositeChart {
            title: text(object, "title"),
            png: picture(object),
            elements: list(object, "elements")
                .iter()
                .map(|part| read(part, depth - 1))
                .collect(),
        })),
        ChartType::Composite => Err("charts within charts within charts".to_owned()),
        ChartType::Unknown if chart_type == ChartType::Unknown.name() => {
            return unknown(value.clone(), None);
        }
        ChartType::Unknown => Err(format!("the type '{chart_type}' is not known")),
    };
    result.unwrap_or_else(|reason| unknown(value.clone(), Some(reason)))
}

fn unknown(mut raw: Value, reason: Option<String>) -> Chart {
    let (mut title, mut png) = (None, None);
    if let Value::Object(object) = &mut raw {
        title = text(object, "title");
        png = picture(object);
        if png.is_some() {
            object.remove("png");
        }
    }
    Chart::Unknown(UnknownChart {
        title,
        png,
        raw,
        reason,
    })
}

/// The elements, each an object.
fn elements<T>(
    object: &Map<String, Value>,
    read: impl Fn(&Map<String, Value>) -> T,
) -> Result<Vec<T>, String> {
    let read = |element: &Value| match element {
        Value::Object(element) => Ok(read(element)),
        _ => Err("an element is not an object".to_owned()),
    };
    list(object, "elements").iter().map(read).collect()
}

fn point_series(element: &Map<String, Value>) -> PointSeries {
    let point = |point: &Value| match point.as_array()?.as_slice() {
        [x, y] => Some((number(x)?, number(y)?)),
        _ => None,
    };
    PointSeries {
        label: text(element, "label"),
        points: list(element, "points").iter().filter_map(point).collect(),
    }
}

fn bar(element: &Map<String, Value>) -> BarElement {
    BarElement {
        label: text(element, "label"),
        group: text(element, "group"),
        value: element.get("value").and_then(number),
    }
}

fn wedge(element: &Map<String, Value>) -> PieElement {
    PieElement {
        label: text(element, "label"),
        angle: element.get("angle").and_then(number),
        radius: element.get("radius").and_then(number),
        autopct: text(element, "autopct"),
    }
}

fn box_element(element: &Map<String, Value>) -> BoxElement {
    let number = |name: &str| element.get(name).and_then(number);
    BoxElement {
        label: text(element, "label"),
        min: number("min"),
        first_quartile: number("first_quartile"),
        median: number("median"),
        third_quartile: number("third_quartile"),
        max: number("max"),
        outliers: numbers(element, "outliers"),
    }
}

fn list<'a>(object: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    object
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A finite number; a text that is one; or a date, as days.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text
            .trim()
            .parse()
            .ok()
            .or_else(|| days_of_iso(text.trim())),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

fn numbers(object: &Map<String, Value>, name: &str) -> Vec<f64> {
    list(object, name).iter().filter_map(number).collect()
}

/// A text, or a number as one; an empty text is none.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object
        .get(name)
        .and_then(as_text)
        .filter(|text| !text.is_empty())
}

/// Tick labels, of which an empty one still has its place.
fn texts(object: &Map<String, Value>, name: &str) -> Vec<String> {
    list(object, name)
        .iter()
        .map(|label| as_text(label).unwrap_or_default())
        .collect()
}

fn picture(object: &Map<String, Value>) -> Option<Bytes> {
    let text = object.get("png")?.as_str()?;
    STANDARD
        .decode(text.trim())
        .ok()
        .filter(|png| !png.is_empty())
        .map(Bytes::from)
}
