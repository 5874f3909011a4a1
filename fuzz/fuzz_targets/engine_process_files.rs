//! `sandbox_engine::fuzzing::process_files`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::process_files(input));
