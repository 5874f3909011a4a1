//! To JSON: the strict form that the official clients accept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Number, Value};

use crate::{BarElement, BoxElement, Chart, PieElement, PointSeries, UnknownChart};

/// Writes the axes of a chart, and its elements with `$element`.
macro_rules! write_axes {
    ($object:ident, $chart:ident, $element:expr) => {{
        $object.text("x_label", $chart.x_label.as_deref());
        $object.text("y_label", $chart.y_label.as_deref());
        $object.axis(
            "x",
            &$chart.x_ticks,
            &$chart.x_tick_labels,
            $chart.x_scale.as_ref(),
        );
        $object.axis(
            "y",
            &$chart.y_ticks,
            &$chart.y_tick_labels,
            $chart.y_scale.as_ref(),
        );
        $object.elements($chart.elements.iter().map($element));
    }};
}

impl Chart {
    /// Writes the chart.
    ///
    /// Absent fields are left out; `elements` is always a list. A bar's `value` is a text, as the official clients want
    /// it; ticks and coordinates are numbers; what is not finite is left out. An unknown chart is written as it came, but
    /// with the type `unknown` and without elements. Reading what this writes gives an equal chart, an unknown one's
    /// reason and own type aside.
    pub fn to_json(&self) -> Value {
        let mut object = Object::default();
        object.text("type", Some(self.chart_type().name()));
        object.text("title", self.title());
        object.picture(self.png());
        match self {
            Self::Line(chart) => write_axes!(object, chart, point_series),
            Self::Scatter(chart) => write_axes!(object, chart, point_series),
            Self::Bar(chart) => write_axes!(object, chart, bar),
            Self::BoxAndWhisker(chart) => write_axes!(object, chart, box_element),
            Self::Pie(chart) => object.elements(chart.elements.iter().map(wedge)),
            Self::Composite(chart) => object.elements(chart.elements.iter().map(Self::to_json)),
            Self::Unknown(chart) => return object.unknown(chart),
        }
        object.0.into()
    }
}

fn point_series(series: &PointSeries) -> Value {
    let mut object = Object::default();
    object.text("label", series.label.as_deref());
    let point = |(x, y): &(f64, f64)| Some(Value::from([number(*x)?, number(*y)?].to_vec()));
    object.0.insert(
        "points".to_owned(),
        series.points.iter().filter_map(point).collect(),
    );
    object.0.into()
}

fn bar(bar: &BarElement) -> Value {
    let mut object = Object::default();
    object.text("label", bar.label.as_deref());
    object.text("group", bar.group.as_deref());
    let value = bar.value.filter(|value| value.is_finite());
    // As a person writes it: 3, not 3.0.
    object.text("value", value.map(|value| value.to_string()).as_deref());
    object.0.into()
}

fn wedge(wedge: &PieElement) -> Value {
    let mut object = Object::default();
    object.text("label", wedge.label.as_deref());
    object.number("angle", wedge.angle);
    object.number("radius", wedge.radius);
    object.text("autopct", wedge.autopct.as_deref());
    object.0.into()
}

fn box_element(element: &BoxElement) -> Value {
    let mut object = Object::default();
    object.text("label", element.label.as_deref());
    object.number("min", element.min);
    object.number("first_quartile", element.first_quartile);
    object.number("median", element.median);
    object.number("third_quartile", element.third_quartile);
    object.number("max", element.max);
    object.numbers("outliers", &element.outliers);
    object.0.into()
}

/// A JSON object in the making.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.0.insert(name.to_owned(), text.into());
        }
    }

    fn number(&mut self, name: &str, value: Option<f64>) {
        if let Some(value) = value.and_then(number) {
            self.0.insert(name.to_owned(), value);
        }
    }

    fn numbers(&mut self, name: &str, values: &[f64]) {
        if !values.is_empty() {
            let values = values.iter().filter_map(|value| number(*value));
            self.0.insert(name.to_owned(), values.collect());
        }
    }

    fn picture(&mut self, png: Option<&Bytes>) {
        self.text("png", png.map(|png| STANDARD.encode(png)).as_deref());
    }

    fn axis(&mut self, axis: &str, ticks: &[f64], labels: &[String], scale: Option<&crate::Scale>) {
        self.numbers(&format!("{axis}_ticks"), ticks);
        if !labels.is_empty() {
            self.0.insert(format!("{axis}_tick_labels"), labels.into());
        }
        self.text(&format!("{axis}_scale"), scale.map(crate::Scale::name));
    }

    fn elements(&mut self, elements: impl Iterator<Item = Value>) {
        self.0.insert("elements".to_owned(), elements.collect());
    }

    /// What came, under what is known of it.
    fn unknown(mut self, chart: &UnknownChart) -> Value {
        if let Value::Object(raw) = &chart.raw {
            for (name, value) in raw {
                // Elements of a form that is not known might be more than a strict client takes.
                if name != "elements" {
                    self.0.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        self.elements(std::iter::empty());
        self.0.into()
    }
}

/// A finite number; a whole one without a fraction.
fn number(value: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if value.fract() == 0.0 && value.abs() < EXACT && !(value == 0.0 && value.is_sign_negative()) {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
        return Some((value as i64).into());
    }
    Number::from_f64(value).map(Value::Number)
}
