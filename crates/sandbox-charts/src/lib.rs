//! The charts that code run in a sandbox shows, as typed values.
//!
//! A daemon tells a chart as a JSON object. [`Chart::from_json`] reads every dialect of it that is met in the field, and
//! never fails: what cannot be understood becomes [`Chart::Unknown`] with the reason and the JSON itself.
//! [`Chart::to_json`] writes the strict form that the official clients of the protocol accept.
//!
//! ```
//! use sandbox_charts::{Chart, Scale};
//!
//! let chart = Chart::from_slice(br#"{
//!     "type": "line", "title": "Growth", "x_label": "day", "x_scale": "linear",
//!     "elements": [{"label": "a", "points": [[0, 1], [1, 2.5]]}]
//! }"#);
//! let Chart::Line(line) = &chart else { panic!("not a line chart") };
//! assert_eq!(line.title.as_deref(), Some("Growth"));
//! assert_eq!(line.x_label.as_deref(), Some("day"));
//! assert_eq!(line.x_scale, Some(Scale::Linear));
//! assert_eq!(line.elements[0].points, [(0.0, 1.0), (1.0, 2.5)]);
//! ```
//!
//! No I/O, no clock, no panics.

#![forbid(unsafe_code)]

pub mod artifacts;
mod axes;
mod chart;
mod element;
#[doc(hidden)]
pub mod fuzzing;
mod read;
mod write;

pub use axes::{Scale, Values};
pub use chart::{
    BarChart, BoxAndWhiskerChart, Chart, ChartType, CompositeChart, LineChart, PieChart,
    ScatterChart, UnknownChart,
};
pub use element::{BarElement, BoxElement, PieElement, PointSeries};
