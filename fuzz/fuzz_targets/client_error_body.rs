//! `sandbox_transport::fuzzing::error_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_transport::fuzzing::error_body(input));
