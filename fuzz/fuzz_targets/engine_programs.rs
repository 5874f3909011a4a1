//! `sandbox_engine::fuzzing::programs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::programs(input));
