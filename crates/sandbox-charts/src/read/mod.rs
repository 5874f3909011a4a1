//! JSON in any dialect to charts.

mod axis;
mod chart;
mod fields;
mod instant;
mod json;

pub(crate) use chart::{Plot, chart, owned_chart};
pub(crate) use json::json;
