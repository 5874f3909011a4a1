//! A chart to JSON.

use serde_json::Value;

use super::object::{Object, numbers};
use super::strict;
use crate::chart::{Chart, CompositeChart};
use crate::element::{BarData, BoxAndWhiskerData, PieData, PointData};
use crate::number;

/// The chart in the strict form.
pub(crate) fn chart(chart: &Chart) -> Value {
    write(chart, strict::chart)
}

/// A chart that is an element of another must suit as an element too.
fn part(chart: &Chart) -> Value {
    write(chart, strict::part)
}

fn write(chart: &Chart, unknown: fn(&Value) -> Value) -> Value {
    let mut object = match chart {
        Chart::Line(chart) => chart.object(point_data),
        Chart::Scatter(chart) => chart.object(point_data),
        Chart::Bar(chart) => chart.object(bar_data),
        Chart::Pie(chart) => chart.object(pie_data),
        Chart::BoxAndWhisker(chart) => chart.object(box_data),
        Chart::Composite(chart) => composite(chart),
        Chart::Unknown(chart) => return unknown(chart.raw()),
    };
    object.text("type", Some(chart.chart_type().as_str()));
    object.into()
}

fn composite(chart: &CompositeChart) -> Object {
    let mut object = Object::default();
    object.text("title", chart.title.as_deref());
    object.png(chart.png.as_ref());
    object.elements(chart.elements.iter().map(part));
    object
}

fn point_data(data: &PointData) -> Value {
    let point = |&(x, y): &(f64, f64)| {
        let point = [number::to_json(x)?, number::to_json(y)?];
        Some(Value::Array(point.into()))
    };
    let mut object = Object::default();
    object.text("label", data.label.as_deref());
    object.set("points", data.points.iter().filter_map(point).collect());
    object.into()
}

fn bar_data(data: &BarData) -> Value {
    let value = data.value.filter(|value| value.is_finite());
    let mut object = Object::default();
    object.text("label", data.label.as_deref());
    object.text("group", data.group.as_deref());
    object.text("value", value.map(number::to_text).as_deref());
    object.into()
}

fn pie_data(data: &PieData) -> Value {
    let mut object = Object::default();
    object.text("label", data.label.as_deref());
    object.number("angle", data.angle);
    object.number("radius", data.radius);
    object.text("autopct", data.autopct.as_deref());
    object.into()
}

fn box_data(data: &BoxAndWhiskerData) -> Value {
    let mut object = Object::default();
    object.text("label", data.label.as_deref());
    object.number("min", data.min);
    object.number("first_quartile", data.first_quartile);
    object.number("median", data.median);
    object.number("third_quartile", data.third_quartile);
    object.number("max", data.max);
    object.list("outliers", numbers(data.outliers.iter().copied()));
    object.into()
}
