//! Charts that travel as lines of a program's output.
//!
//! Older daemons and SDKs have the program print each chart on a line of its own: [`PREFIX`], then JSON
//! `{"type": "chart", "value": CHART}`. What reads the output takes these lines out again.

use memchr::{memchr, memmem};
use serde_json::Value;

use crate::chart::Chart;
use crate::unknown::UnknownReason;
use crate::{read, write};

/// An output and the charts that were in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Split {
    /// The output without its artifact lines; every other byte is where it was.
    pub output: Vec<u8>,
    /// The charts, in the order of their lines.
    pub charts: Vec<Chart>,
}

/// Takes the artifact lines out of a program's output, whole or up to the end of a line.
///
/// A line ends with `\n` and nothing else; the last may lack it. Every line that begins with [`PREFIX`] is taken out with its
/// end, whatever follows. What follows is a chart or is dropped: JSON, with or without blanks around it and a carriage return
/// at the end, of the type `chart`, whose value is an object. The value is read as by [`Chart::from_slice`]. A type that
/// is not known is a chart; one of the six that is not what it claims to be is dropped, unless a client would accept it.
///
/// This is what Daytona's daemon v0.190 does, but that one drops charts with numbers as the values of bars, or with texts or
/// NaN as coordinates.
///
/// A program can print such lines without having drawn anything, so charts from here are no proof of anything.
///
/// # Examples
///
/// ```
/// let output = b"a\ndtn_artifact_k39fd2:{\"type\": \"chart\", \"value\": {\"type\": \"pie\"}}\nb\n";
/// let split = sandbox_charts::artifacts::split(output);
/// assert_eq!(split.output, b"a\nb\n");
/// assert_eq!(split.charts[0].chart_type(), sandbox_charts::ChartType::Pie);
/// ```
pub fn split(output: &[u8]) -> Split {
    let mut split = Split::default();
    let mut rest = 0;
    for at in memmem::find_iter(output, PREFIX) {
        let begins_line = at == 0 || output[at - 1] == b'\n';
        if !begins_line {
            continue;
        }
        let end = memchr(b'\n', &output[at..]).map_or(output.len(), |length| at + length + 1);
        split.output.extend_from_slice(&output[rest..at]);
        split.charts.extend(chart(&output[at + PREFIX.len()..end]));
        rest = end;
    }
    split.output.extend_from_slice(&output[rest..]);
    split
}

/// What an artifact line begins with.
pub const PREFIX: &str = "dtn_artifact_k39fd2:";

fn chart(payload: &[u8]) -> Option<Chart> {
    let mut artifact = read::json(payload).ok()?;
    if artifact.get("type").and_then(Value::as_str) != Some("chart") {
        return None;
    }
    let value = artifact.get_mut("value").map(Value::take)?;
    let chart = read::owned_chart(value);
    match &chart {
        Chart::Unknown(unknown) => {
            let is_malformed = matches!(unknown.reason(), UnknownReason::Malformed { .. });
            (!is_malformed || write::is_strict(unknown.raw())).then_some(chart)
        }
        _ => Some(chart),
    }
}
