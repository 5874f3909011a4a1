//! `sandbox_daemon::fuzzing::forms`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_daemon::fuzzing::forms(input));
