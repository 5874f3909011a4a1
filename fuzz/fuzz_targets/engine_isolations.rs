//! `sandbox_engine::fuzzing::isolations`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::isolations(input));
