//! `sandbox_engine::fuzzing::terminal_output`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::terminal_output(input));
