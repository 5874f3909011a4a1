//! A chart.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_charts::fuzzing::chart_json(input));
