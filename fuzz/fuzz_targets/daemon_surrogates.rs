//! `sandbox_daemon::fuzzing::surrogates`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_daemon::fuzzing::surrogates(input));
