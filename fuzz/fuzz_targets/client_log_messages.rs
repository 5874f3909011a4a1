//! `sandbox_transport::fuzzing::log_messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_transport::fuzzing::log_messages(input));
