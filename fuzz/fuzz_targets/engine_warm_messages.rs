//! `sandbox_engine::fuzzing::warm_messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::warm_messages(input));
