//! `sandbox_control::fuzzing::cursors`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_control::fuzzing::cursors(input));
