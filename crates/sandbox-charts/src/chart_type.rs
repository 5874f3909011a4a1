//! The kinds of charts.

use std::fmt;

/// What kind of chart it is, as the field `type` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChartType {
    /// Lines through points.
    Line,
    /// Clouds of points.
    Scatter,
    /// Bars, those of a histogram too.
    Bar,
    /// Wedges of a pie or a donut.
    Pie,
    /// Boxes with whiskers and outliers.
    BoxAndWhisker,
    /// Several charts in one figure.
    CompositeChart,
    /// None of the others.
    Unknown,
}

impl ChartType {
    /// Returns the kind that the wire calls `name`; every other name is [`Unknown`](Self::Unknown).
    ///
    /// A composite chart has two names: `composite_chart`, and `superchart` in E2B's dialect.
    pub fn from_name(name: &str) -> Self {
        match name {
            "line" => Self::Line,
            "scatter" => Self::Scatter,
            "bar" => Self::Bar,
            "pie" => Self::Pie,
            "box_and_whisker" => Self::BoxAndWhisker,
            "composite_chart" | "superchart" => Self::CompositeChart,
            _ => Self::Unknown,
        }
    }

    /// Returns the name on the wire, such as `box_and_whisker`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Scatter => "scatter",
            Self::Bar => "bar",
            Self::Pie => "pie",
            Self::BoxAndWhisker => "box_and_whisker",
            Self::CompositeChart => "composite_chart",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ChartType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
