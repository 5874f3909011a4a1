//! `sandbox_daemon::fuzzing::file_names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_daemon::fuzzing::file_names(input));
