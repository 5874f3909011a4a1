//! `sandbox_engine::fuzzing::limits`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::limits(input));
