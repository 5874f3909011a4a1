//! `sandbox_engine::fuzzing::spare_messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::spare_messages(input));
