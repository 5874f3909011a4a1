//! Logs and charts.

use std::fs;
use std::path::Path;

use sandbox_charts::artifacts::PREFIX;
use sandbox_charts::fuzzing as charts;
use sandbox_logcodec::fuzzing as logs;

use crate::runner::run;

const MARKERS: &[&[u8]] = &[
    b"\x01\x01\x01",
    b"\x02\x02\x02",
    b"\x01",
    b"\x02",
    b"a",
    b"\0",
];

#[test]
fn log_decode() {
    run(logs::log_decode, &[b"\x01\x01\x01a"], MARKERS, 6_000);
}

#[test]
fn log_encode() {
    run(logs::log_encode, &[b"\x01\x01\x01a"], MARKERS, 6_000);
}

#[test]
fn log_frame() {
    run(logs::log_frame, &[b"\x01\x01\x01a"], MARKERS, 4_000);
}

#[test]
fn log_text() {
    let words: &[&[u8]] = &["é".as_bytes(), "😀".as_bytes(), b"\xf0\x9f", b"\xff", b"\0"];
    run(logs::log_text, &["aé😀".as_bytes()], words, 6_000);
}

#[test]
fn chart_json() {
    let seeds = recorded();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    run(charts::chart_json, &seeds, &words(), 10_000);
}

#[test]
fn chart_artifacts() {
    let prefix = PREFIX.as_bytes();
    let line = |chart: Vec<u8>| {
        [
            prefix,
            b"{\"type\": \"chart\", \"value\": ",
            &chart,
            b"}\na\n",
        ]
        .concat()
    };
    let seeds: Vec<_> = recorded().into_iter().map(line).collect();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let mut words = words();
    words.extend([prefix, b"\n"]);
    run(charts::artifacts, &seeds, &words, 5_000);
}

/// The charts of every dialect.
fn recorded() -> Vec<Vec<u8>> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/sandbox-charts/tests/data/read");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.sort();
    let read = |path| fs::read(path).expect("the file can be read");
    paths.iter().map(read).collect()
}

fn words() -> Vec<&'static [u8]> {
    TOKENS.split_whitespace().map(str::as_bytes).collect()
}

/// What takes the place of a part of a chart, separated by blanks.
const TOKENS: &str = r#"
    null true 0 -1 1e999 -1e308 9007199254740993 NaN -Infinity "" "NaN" "12" "a" "2024-01-01" "2024-01-01T00:00:00+01:00"
    [] {} [null] [["a",1],["b",2]] \ line scatter bar pie box_and_whisker composite_chart superchart unknown categorical
    datetime linear x_ticks x_tick_labels points value elements png title label
"#;
