//! JSON to a chart of its kind.

use serde_json::Value;

use super::axis::{AxisReader, PlotAxis};
use super::fields::{self, Fields, Malformed};
use crate::axis::{X_FIELDS, Y_FIELDS};
use crate::chart::{Chart, CompositeChart};
use crate::chart_type::ChartType;
use crate::element::{BarData, BoxAndWhiskerData, PieData, PointData};
use crate::limits;
use crate::png::Png;
use crate::unknown::{UnknownChart, UnknownReason};

/// The fields of a chart that has two axes.
pub(crate) struct Plot<E> {
    pub(crate) title: Option<String>,
    pub(crate) png: Option<Png>,
    pub(crate) x: PlotAxis,
    pub(crate) y: PlotAxis,
    pub(crate) elements: Vec<E>,
}

/// The chart that `json` is.
pub(crate) fn chart(json: &Value) -> Chart {
    nested_chart(json, 0)
}

/// The same, without a copy of what is unknown.
pub(crate) fn owned_chart(json: Value) -> Chart {
    known_chart(&json, 0).unwrap_or_else(|reason| Chart::Unknown(UnknownChart::new(json, reason)))
}

/// The chart that `json` is, below so many composite charts.
fn nested_chart(json: &Value, depth: usize) -> Chart {
    known_chart(json, depth)
        .unwrap_or_else(|reason| Chart::Unknown(UnknownChart::new(json.clone(), reason)))
}

fn known_chart(json: &Value, depth: usize) -> Result<Chart, UnknownReason> {
    let fields = Fields::of(json)?;
    let name = fields.text("type")?;
    let Some(name) = name.filter(|name| name != ChartType::Unknown.as_str()) else {
        return Err(UnknownReason::Unclassified);
    };
    Ok(match ChartType::from_name(&name) {
        ChartType::Line => Chart::Line(plot(fields, point_data)?.into()),
        ChartType::Scatter => Chart::Scatter(plot(fields, point_data)?.into()),
        ChartType::Bar => Chart::Bar(plot(fields, bar_data)?.into()),
        ChartType::Pie => Chart::Pie(plot(fields, pie_data)?.into()),
        ChartType::BoxAndWhisker => Chart::BoxAndWhisker(plot(fields, box_data)?.into()),
        ChartType::CompositeChart => Chart::Composite(composite(fields, depth)?),
        ChartType::Unknown => return Err(UnknownReason::UnfamiliarType(name)),
    })
}

fn composite(fields: Fields<'_>, depth: usize) -> Result<CompositeChart, Malformed> {
    if depth == limits::NESTING {
        return Err(Malformed::new("nested within the limit"));
    }
    Ok(CompositeChart {
        title: fields.text("title")?,
        png: png(fields),
        elements: fields.list("elements", |element| {
            Ok((!element.is_null()).then(|| nested_chart(element, depth + 1)))
        })?,
    })
}

fn plot<E>(
    fields: Fields<'_>,
    read: fn(Fields<'_>, &mut [AxisReader; 2]) -> Result<E, Malformed>,
) -> Result<Plot<E>, Malformed> {
    let mut axes = [
        AxisReader::new(fields, X_FIELDS)?,
        AxisReader::new(fields, Y_FIELDS)?,
    ];
    let elements = fields.list("elements", |element| {
        if element.is_null() {
            return Ok(None);
        }
        read(Fields::of(element)?, &mut axes).map(Some)
    })?;
    let [x, y] = axes.map(AxisReader::finish);
    Ok(Plot {
        title: fields.text("title")?,
        png: png(fields),
        x,
        y,
        elements,
    })
}

/// The picture is not worth losing the data for, whatever is in its place.
fn png(fields: Fields<'_>) -> Option<Png> {
    fields.get("png")?.as_str().and_then(Png::from_base64)
}

fn point_data(fields: Fields<'_>, axes: &mut [AxisReader; 2]) -> Result<PointData, Malformed> {
    Ok(PointData {
        label: fields.text("label")?,
        points: fields.list("points", |value| point(value, axes))?,
    })
}

/// A point; `None` when it lacks a coordinate.
fn point(value: &Value, [x, y]: &mut [AxisReader; 2]) -> Result<Option<(f64, f64)>, Malformed> {
    if value.is_null() {
        return Ok(None);
    }
    let Some([first, second]) = value.as_array().map(Vec::as_slice) else {
        return Err(Malformed::new("a pair of coordinates"));
    };
    let (first, second) = (x.coordinate(first)?, y.coordinate(second)?);
    Ok(first.zip(second))
}

fn bar_data(fields: Fields<'_>, _: &mut [AxisReader; 2]) -> Result<BarData, Malformed> {
    Ok(BarData {
        label: fields.text("label")?,
        group: fields.text("group")?,
        value: fields.number("value")?,
    })
}

fn pie_data(fields: Fields<'_>, _: &mut [AxisReader; 2]) -> Result<PieData, Malformed> {
    Ok(PieData {
        label: fields.text("label")?,
        angle: fields.number("angle")?,
        radius: fields.number("radius")?,
        autopct: fields.text("autopct")?,
    })
}

fn box_data(fields: Fields<'_>, _: &mut [AxisReader; 2]) -> Result<BoxAndWhiskerData, Malformed> {
    Ok(BoxAndWhiskerData {
        label: fields.text("label")?,
        min: fields.number("min")?,
        first_quartile: fields.number("first_quartile")?,
        median: fields.number("median")?,
        third_quartile: fields.number("third_quartile")?,
        max: fields.number("max")?,
        outliers: fields.list("outliers", fields::number)?,
    })
}
