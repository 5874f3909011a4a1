//! The kinds of chart.

use std::fmt;

use bytes::Bytes;
use serde_json::Value;

use crate::{BarElement, BoxElement, PieElement, PointSeries, Scale, Values};

/// A chart.
///
/// `Debug` tells the size of pictures, not their bytes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Chart {
    /// Lines.
    Line(LineChart),
    /// Points.
    Scatter(ScatterChart),
    /// Bars, histograms included.
    Bar(BarChart),
    /// A pie.
    Pie(PieChart),
    /// Boxes and whiskers.
    BoxAndWhisker(BoxAndWhiskerChart),
    /// Several charts in one picture.
    Composite(CompositeChart),
    /// Anything else.
    Unknown(UnknownChart),
}

/// The types of chart that the protocol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChartType {
    /// `line`
    Line,
    /// `scatter`
    Scatter,
    /// `bar`
    Bar,
    /// `pie`
    Pie,
    /// `box_and_whisker`
    BoxAndWhisker,
    /// `composite_chart`
    Composite,
    /// `unknown`, and every name that the table lacks
    Unknown,
}

/// Defines a chart with two axes.
macro_rules! chart_with_axes {
    ($(#[$doc:meta])* $name:ident of $element:ty) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            /// The title of the axes.
            pub title: Option<String>,
            /// The picture, a PNG file.
            pub png: Option<Bytes>,
            /// What the horizontal axis says it is; for bars and boxes, what the axis of the categories says.
            pub x_label: Option<String>,
            /// What the other axis says it is.
            pub y_label: Option<String>,
            /// Where the ticks of the x axis are, as coordinates.
            pub x_ticks: Vec<f64>,
            /// What stands at these ticks.
            pub x_tick_labels: Vec<String>,
            /// How the x axis maps coordinates.
            pub x_scale: Option<Scale>,
            /// Where the ticks of the y axis are, as coordinates.
            pub y_ticks: Vec<f64>,
            /// What stands at these ticks.
            pub y_tick_labels: Vec<String>,
            /// How the y axis maps coordinates.
            pub y_scale: Option<Scale>,
            /// What was drawn, in drawing order.
            pub elements: Vec<$element>,
        }

        impl $name {
            /// Coordinates along the x axis, as what its scale says that they are.
            pub fn x_values(&self, coordinates: impl IntoIterator<Item = f64>) -> Values {
                Values::new(self.x_scale.as_ref(), coordinates, &self.x_ticks, &self.x_tick_labels)
            }

            /// Coordinates along the y axis, as what its scale says that they are.
            pub fn y_values(&self, coordinates: impl IntoIterator<Item = f64>) -> Values {
                Values::new(self.y_scale.as_ref(), coordinates, &self.y_ticks, &self.y_tick_labels)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("title", &self.title)
                    .field("png", &Picture(self.png.as_ref()))
                    .field("x_label", &self.x_label)
                    .field("y_label", &self.y_label)
                    .field("x_ticks", &self.x_ticks)
                    .field("x_tick_labels", &self.x_tick_labels)
                    .field("x_scale", &self.x_scale)
                    .field("y_ticks", &self.y_ticks)
                    .field("y_tick_labels", &self.y_tick_labels)
                    .field("y_scale", &self.y_scale)
                    .field("elements", &self.elements)
                    .finish()
            }
        }
    };
}

chart_with_axes!(
    /// Lines, one element per series.
    LineChart of PointSeries
);
chart_with_axes!(
    /// Points, one element per series.
    ScatterChart of PointSeries
);
chart_with_axes!(
    /// Bars, one element per bar.
    BarChart of BarElement
);
chart_with_axes!(
    /// Boxes and whiskers, one element per box.
    BoxAndWhiskerChart of BoxElement
);

/// A pie, one element per wedge.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PieChart {
    /// The title.
    pub title: Option<String>,
    /// The picture, a PNG file.
    pub png: Option<Bytes>,
    /// The wedges in drawing order.
    pub elements: Vec<PieElement>,
}

/// Several charts in one picture, one element per pair of axes.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct CompositeChart {
    /// The title over all of them.
    pub title: Option<String>,
    /// The picture, a PNG file.
    pub png: Option<Bytes>,
    /// The charts.
    pub elements: Vec<Chart>,
}

/// A chart of no kind that is known, or one that could not be read.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct UnknownChart {
    /// The title, if there is one to be read.
    pub title: Option<String>,
    /// The picture, if there is one to be read.
    pub png: Option<Bytes>,
    /// The chart as it came; without its picture where that could be read.
    pub raw: Value,
    /// Why it could not be read; `None` if its own word is that it is of no known kind.
    pub reason: Option<String>,
}

impl Chart {
    /// Which type it is.
    pub fn chart_type(&self) -> ChartType {
        match self {
            Self::Line(_) => ChartType::Line,
            Self::Scatter(_) => ChartType::Scatter,
            Self::Bar(_) => ChartType::Bar,
            Self::Pie(_) => ChartType::Pie,
            Self::BoxAndWhisker(_) => ChartType::BoxAndWhisker,
            Self::Composite(_) => ChartType::Composite,
            Self::Unknown(_) => ChartType::Unknown,
        }
    }

    /// The title.
    pub fn title(&self) -> Option<&str> {
        match self {
            Self::Line(chart) => chart.title.as_deref(),
            Self::Scatter(chart) => chart.title.as_deref(),
            Self::Bar(chart) => chart.title.as_deref(),
            Self::Pie(chart) => chart.title.as_deref(),
            Self::BoxAndWhisker(chart) => chart.title.as_deref(),
            Self::Composite(chart) => chart.title.as_deref(),
            Self::Unknown(chart) => chart.title.as_deref(),
        }
    }

    /// The picture, a PNG file.
    pub fn png(&self) -> Option<&Bytes> {
        match self {
            Self::Line(chart) => chart.png.as_ref(),
            Self::Scatter(chart) => chart.png.as_ref(),
            Self::Bar(chart) => chart.png.as_ref(),
            Self::Pie(chart) => chart.png.as_ref(),
            Self::BoxAndWhisker(chart) => chart.png.as_ref(),
            Self::Composite(chart) => chart.png.as_ref(),
            Self::Unknown(chart) => chart.png.as_ref(),
        }
    }
}

impl ChartType {
    /// Every type.
    pub const ALL: [Self; 7] = [
        Self::Line,
        Self::Scatter,
        Self::Bar,
        Self::Pie,
        Self::BoxAndWhisker,
        Self::Composite,
        Self::Unknown,
    ];

    /// The name that travels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Scatter => "scatter",
            Self::Bar => "bar",
            Self::Pie => "pie",
            Self::BoxAndWhisker => "box_and_whisker",
            Self::Composite => "composite_chart",
            Self::Unknown => "unknown",
        }
    }

    /// The type called `name`; [`Unknown`](Self::Unknown) if there is none.
    pub fn from_name(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|chart| chart.name() == name)
            .unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for ChartType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A picture for `Debug`.
struct Picture<'a>(Option<&'a Bytes>);

impl fmt::Debug for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(png) => write!(f, "Some({} bytes)", png.len()),
            None => f.write_str("None"),
        }
    }
}

impl fmt::Debug for PieChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PieChart")
            .field("title", &self.title)
            .field("png", &Picture(self.png.as_ref()))
            .field("elements", &self.elements)
            .finish()
    }
}

impl fmt::Debug for CompositeChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompositeChart")
            .field("title", &self.title)
            .field("png", &Picture(self.png.as_ref()))
            .field("elements", &self.elements)
            .finish()
    }
}

impl fmt::Debug for UnknownChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnknownChart")
            .field("title", &self.title)
            .field("png", &Picture(self.png.as_ref()))
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
