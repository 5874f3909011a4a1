//! `sandbox_engine::fuzzing::control_groups`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_engine::fuzzing::control_groups(input));
