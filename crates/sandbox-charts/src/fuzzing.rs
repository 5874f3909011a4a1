//! Bodies of the fuzz targets; a test runs them on the stable compiler.

use crate::{Chart, artifacts};

/// Whatever the bytes, reading them ends, and what is written reads back equal.
///
/// # Panics
///
/// When that is not so.
pub fn chart_json(bytes: &[u8]) {
    let written = Chart::from_slice(bytes).to_json();
    let read = Chart::from_json(&written);
    assert_eq!(read.to_json(), written, "what is written reads back equal");
}

/// Whatever the output, nothing but whole lines is taken out.
///
/// # Panics
///
/// When that is not so.
pub fn artifacts(output: &[u8]) {
    let split = artifacts::split(output);
    let kept: Vec<&[u8]> = output
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| !line.starts_with(artifacts::PREFIX))
        .collect();
    assert_eq!(split.output, kept.concat());
}
