//! `sandbox_engine::fuzzing::shells`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::shells(input));
