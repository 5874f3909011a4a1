//! The bodies of the fuzz targets, for the fuzzer and for tests on the stable compiler.

use serde_json::Value;

use crate::artifacts::{self, PREFIX};
use crate::write::is_strict;
use crate::{Chart, ChartType};

/// Any bytes are a chart, and what is written for it is strict and stays the same when it is read again.
///
/// # Panics
///
/// Where that does not hold.
pub fn chart_json(input: &[u8]) {
    check(&Chart::from_slice(input));
}

/// Any bytes come apart into artifact lines and the rest.
///
/// # Panics
///
/// Where that does not hold.
pub fn artifacts(input: &[u8]) {
    let split = artifacts::split(input);
    let is_artifact = |line: &&[u8]| line.starts_with(PREFIX.as_bytes());
    let (lines, rest): (Vec<_>, Vec<_>) = input
        .split_inclusive(|byte| *byte == b'\n')
        .partition(is_artifact);
    assert_eq!(split.output, rest.concat());
    assert!(split.charts.len() <= lines.len());
    for chart in &split.charts {
        check(chart);
    }
    let again = artifacts::split(&split.output);
    assert_eq!((again.output, again.charts.len()), (split.output, 0));
}

fn check(chart: &Chart) {
    let json = chart.to_json();
    assert!(is_strict(&json), "{json}");
    assert!(
        json["type"].is_string() && json["elements"].is_array(),
        "{json}"
    );

    let again = Chart::from_json(&json);
    assert_eq!(again.to_json(), json);
    if is_known(chart) {
        assert_eq!(&again, chart);
        assert_eq!(json["type"], chart.chart_type().as_str());
    }
    assert_eq!(Chart::from_slice(json.to_string().as_bytes()), again);

    assert_eq!(again.png(), chart.png());
    assert_eq!(
        again.title(),
        json.get("title")
            .and_then(Value::as_str)
            .filter(|title| !title.is_empty())
    );
    assert!(!format!("{chart:?}").is_empty());
}

/// Whether the chart and its parts are of the six kinds.
fn is_known(chart: &Chart) -> bool {
    match chart {
        Chart::Composite(composite) => composite.elements.iter().all(is_known),
        other => other.chart_type() != ChartType::Unknown,
    }
}
