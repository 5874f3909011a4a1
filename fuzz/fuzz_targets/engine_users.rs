//! `sandbox_engine::fuzzing::users`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::users(input));
