//! A chart of any kind, and the kind that holds others.

use bytes::Bytes;
use serde_json::Value;

use crate::chart_type::ChartType;
use crate::plot::{BarChart, BoxAndWhiskerChart, LineChart, PieChart, ScatterChart};
use crate::png::Png;
use crate::unknown::UnknownChart;
use crate::{read, write};

/// A chart that a program showed.
///
/// # Examples
///
/// ```
/// use sandbox_charts::Chart;
/// use serde_json::json;
///
/// let chart = Chart::from_json(&json!({"type": "bar", "elements": [{"label": "a", "value": 3.0}]}));
/// let Chart::Bar(bars) = &chart else { panic!("it says so") };
/// assert_eq!(bars.elements[0].value, Some(3.0));
/// assert_eq!(chart.to_json(), json!({"type": "bar", "elements": [{"label": "a", "value": "3"}]}));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Chart {
    /// Lines through points.
    Line(LineChart),
    /// Clouds of points.
    Scatter(ScatterChart),
    /// Bars, those of a histogram too.
    Bar(BarChart),
    /// Wedges of a pie or a donut.
    Pie(PieChart),
    /// Boxes with whiskers and outliers.
    BoxAndWhisker(BoxAndWhiskerChart),
    /// Several charts in one figure.
    Composite(CompositeChart),
    /// None of the others, or not what it claims to be.
    Unknown(UnknownChart),
}

/// Several charts in one figure, such as its subplots.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct CompositeChart {
    /// The title of the figure.
    pub title: Option<String>,
    /// The picture of the whole figure.
    pub png: Option<Png>,
    /// The charts, in the order in which their axes were made. They have no pictures of their own as a rule.
    pub elements: Vec<Chart>,
}

impl Chart {
    /// Reads a chart, whatever its dialect.
    ///
    /// Every value is a chart: one that is not what it claims to be is [`Chart::Unknown`], with the reason.
    pub fn from_json(json: &Value) -> Self {
        read::chart(json)
    }

    /// Reads a chart from the text of its JSON.
    ///
    /// As [`from_json`](Self::from_json). The words `NaN`, `Infinity` and `-Infinity`, which Python writes though JSON has
    /// none of them, are `null`, and bytes that are not UTF-8 are U+FFFD. Bytes that are not JSON all the same are
    /// [`Chart::Unknown`], with the reason.
    pub fn from_slice(json: &[u8]) -> Self {
        match read::json(json) {
            Ok(value) => read::owned_chart(value),
            Err(reason) => Self::Unknown(UnknownChart::new(Value::Null, reason)),
        }
    }

    /// Returns the chart in the strict form that official clients accept, an object with `type` and `elements` at least.
    ///
    /// Numbers that are not finite are left out, and points and ticks with them. A field of an unknown chart that a client
    /// would choke on is left out too, and then the type is `unknown`, unless it was one that no client knows.
    pub fn to_json(&self) -> Value {
        write::chart(self)
    }

    /// Returns the kind of the chart.
    pub const fn chart_type(&self) -> ChartType {
        match self {
            Self::Line(_) => ChartType::Line,
            Self::Scatter(_) => ChartType::Scatter,
            Self::Bar(_) => ChartType::Bar,
            Self::Pie(_) => ChartType::Pie,
            Self::BoxAndWhisker(_) => ChartType::BoxAndWhisker,
            Self::Composite(_) => ChartType::CompositeChart,
            Self::Unknown(_) => ChartType::Unknown,
        }
    }

    /// Returns the title; `None` when there is none or it is empty.
    pub fn title(&self) -> Option<&str> {
        match self {
            Self::Line(chart) => chart.title.as_deref(),
            Self::Scatter(chart) => chart.title.as_deref(),
            Self::Bar(chart) => chart.title.as_deref(),
            Self::Pie(chart) => chart.title.as_deref(),
            Self::BoxAndWhisker(chart) => chart.title.as_deref(),
            Self::Composite(chart) => chart.title.as_deref(),
            Self::Unknown(chart) => chart.title(),
        }
    }

    /// Returns the picture, decoded, ready to be written to a file. A clone shares the memory.
    ///
    /// `None` when there is none or it was not base64. Whether it is a PNG is not checked.
    pub fn png(&self) -> Option<&Bytes> {
        let png = match self {
            Self::Line(chart) => chart.png.as_ref(),
            Self::Scatter(chart) => chart.png.as_ref(),
            Self::Bar(chart) => chart.png.as_ref(),
            Self::Pie(chart) => chart.png.as_ref(),
            Self::BoxAndWhisker(chart) => chart.png.as_ref(),
            Self::Composite(chart) => chart.png.as_ref(),
            Self::Unknown(chart) => chart.png(),
        };
        png.map(Png::as_bytes)
    }
}
