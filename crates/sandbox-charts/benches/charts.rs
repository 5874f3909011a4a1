//! What it costs to read and to write the two charts that are large: by their picture, or by their points.
//!
//! `cargo bench -p sandbox-charts`.

use std::hint::black_box;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use sandbox_charts::{Chart, artifacts};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A line of 30 points with a picture of 60 KB, as the first example of every manual.
fn picture() -> Value {
    let png = vec![0xA5; 60_000];
    let mut chart = line(30);
    chart["png"] = base64(png).into();
    chart
}

/// The picture in base64.
fn base64(png: Vec<u8>) -> String {
    let mut pie = sandbox_charts::PieChart::default();
    pie.png = Some(png.into());
    let json = Chart::Pie(pie).to_json();
    json["png"].as_str().expect("there is a picture").to_owned()
}

/// A line of so many points, none of them round.
fn line(count: u32) -> Value {
    let points: Vec<_> = (0..count)
        .map(|index| f64::from(index) / 3.0)
        .map(|x| json!([x, x.sin()]))
        .collect();
    json!({"type": "line", "title": "sine", "elements": [{"label": "sin", "points": points}]})
}

const CHARTS: [&str; 2] = ["picture of 60 KB", "10,000 points"];

fn chart(name: &str) -> Value {
    if name == CHARTS[0] {
        picture()
    } else {
        line(10_000)
    }
}

#[divan::bench(args = CHARTS)]
fn from_json(bencher: Bencher<'_, '_>, name: &str) {
    let json = chart(name);
    bencher.bench_local(|| Chart::from_json(black_box(&json)));
}

#[divan::bench(args = CHARTS)]
fn from_slice(bencher: Bencher<'_, '_>, name: &str) {
    let text = chart(name).to_string();
    let bencher = bencher.counter(BytesCount::new(text.len()));
    bencher.bench_local(|| Chart::from_slice(black_box(text.as_bytes())));
}

#[divan::bench(args = CHARTS)]
fn to_json(bencher: Bencher<'_, '_>, name: &str) {
    let chart = Chart::from_json(&chart(name));
    bencher.bench_local(|| black_box(&chart).to_json());
}

/// 1 MiB of output without any chart.
#[divan::bench]
fn split_plain_output(bencher: Bencher<'_, '_>) {
    let line = b"   Compiling sandbox-charts v0.1.0\n";
    let output: Vec<_> = line.iter().copied().cycle().take(1024 * 1024).collect();
    let bencher = bencher.counter(BytesCount::new(output.len()));
    bencher.bench_local(|| artifacts::split(black_box(&output)));
}
