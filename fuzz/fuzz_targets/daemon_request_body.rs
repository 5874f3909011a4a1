//! `sandbox_daemon::fuzzing::request_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_daemon::fuzzing::request_body(input));
