//! `sandbox_daemon::fuzzing::call_messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_daemon::fuzzing::call_messages(input));
