//! `sandbox_cli::fuzzing::picture`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_cli::fuzzing::picture(input));
