//! `sandbox_daemon::fuzzing::settings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_daemon::fuzzing::settings(input));
