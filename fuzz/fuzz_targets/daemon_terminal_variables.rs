//! `sandbox_daemon::fuzzing::terminal_variables`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_daemon::fuzzing::terminal_variables(input));
