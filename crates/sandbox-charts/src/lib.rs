//! The charts that code run in a sandbox shows, as typed Rust values.
//!
//! When a program calls `matplotlib.pyplot.show()`, Daytona's daemon and those like it send back what was drawn: the picture,
//! and the data in it as JSON. This crate reads that JSON, in each of the dialects that extractors have written over time, and
//! writes the one form that every client accepts.
//!
//! | for | there is |
//! |---|---|
//! | a chart from a response | [`Chart::from_json`], [`Chart::from_slice`] |
//! | what it holds | [`LineChart`], [`ScatterChart`], [`BarChart`], [`PieChart`], [`BoxAndWhiskerChart`], [`CompositeChart`] |
//! | what a coordinate means | [`Axis::value`]: a number, an instant or a category |
//! | a chart for a response | [`Chart::to_json`] |
//! | charts in the output of old SDKs' programs | [`artifacts::split`] |
//!
//! # Examples
//!
//! ```
//! use sandbox_charts::{AxisValue, Chart};
//!
//! let chart = Chart::from_slice(br#"{
//!     "type": "line", "title": "Load", "x_label": "day", "x_scale": "datetime",
//!     "elements": [{"label": "cpu", "points": [[19723, 0.5], ["2024-01-02T12:00:00", 0.75]]}]
//! }"#);
//!
//! assert_eq!(chart.title(), Some("Load"));
//! if let Chart::Line(line) = &chart {
//!     assert_eq!(line.x_label.as_deref(), Some("day"));
//!     for element in &line.elements {
//!         assert_eq!(element.points, [(19723.0, 0.5), (19724.5, 0.75)]);
//!         for &(x, _) in &element.points {
//!             let AxisValue::Instant(instant) = line.x_axis().value(x) else { panic!("it is a datetime axis") };
//!             assert!(instant > std::time::SystemTime::UNIX_EPOCH);
//!         }
//!     }
//! }
//! ```
//!
//! # What is read
//!
//! No input is an error: what is not one of the six kinds of chart is [`Chart::Unknown`], with the JSON and the reason.
//!
//! - A missing field, `null` and, but for tick labels, the empty text are the same: `None`, or an empty list.
//! - A number may be a text that spells one. NaN and infinity, as numbers of Python's `json` or as texts, are absent: a point
//!   that lacks a coordinate is left out.
//! - Where a text stands for a coordinate it is an instant in ISO 8601 (without an offset it is UTC), or the name of a
//!   category. It becomes the number that stands for it in the strict form.
//! - `superchart`, as E2B calls it, is a composite chart.
//! - Other keys are ignored, but retained in a chart that is unknown.
//! - A picture that is not base64 is `None`.
//! - Whatever else has another type than it should have makes the chart unknown.
//!
//! # What is written
//!
//! What the strictest official client accepts: the values of bars as texts, coordinates and ticks as numbers, tick labels as
//! texts, `elements` always a list, no NaN, no infinity, nothing for what is absent. An axis of instants has days since
//! 1970-01-01, an axis of categories their positions, with the names as tick labels. What was read comes back equal from what
//! is written for it, an unknown chart too if its JSON was of that form.
//!
//! # Layer
//!
//! JSON goes in and comes out: no I/O, no clock, no tasks. No input makes anything here panic or wait.
//!
//! # Limits
//!
//! A text that would take more memory than [`limits::JSON_MEMORY_BYTES`] is not read; what reads responses bounds how long it
//! is. Charts within charts go as deep as [`limits::NESTING`]. A picture is shared by clones.
#![forbid(unsafe_code)]

pub mod artifacts;
mod axis;
mod chart;
mod chart_type;
mod element;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
mod number;
mod plot;
mod png;
mod read;
mod unknown;
mod write;

pub use axis::{Axis, AxisValue, Scale};
pub use chart::{Chart, CompositeChart};
pub use chart_type::ChartType;
pub use element::{BarData, BoxAndWhiskerData, PieData, PointData};
pub use plot::{BarChart, BoxAndWhiskerChart, LineChart, PieChart, ScatterChart};
pub use png::Png;
pub use unknown::{UnknownChart, UnknownReason};

/// The example of the README runs too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
