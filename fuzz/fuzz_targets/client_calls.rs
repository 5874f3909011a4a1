//! `sandbox_transport::fuzzing::calls`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_transport::fuzzing::calls(input));
