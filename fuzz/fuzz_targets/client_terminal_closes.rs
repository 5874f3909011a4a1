//! `sandbox_transport::fuzzing::terminal_closes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_transport::fuzzing::terminal_closes(input));
