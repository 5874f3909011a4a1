//! `sandbox_engine::fuzzing::translator_requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::translator_requests(input));
