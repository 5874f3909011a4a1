//! `sandbox_engine::fuzzing::session_reports`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::session_reports(input));
