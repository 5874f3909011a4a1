//! An output with charts in its lines.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_charts::fuzzing::artifacts(input));
