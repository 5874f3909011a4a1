//! `sandbox_daemon::fuzzing::headers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_daemon::fuzzing::headers(input));
