//! `sandbox_wire::fuzzing::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_wire::fuzzing::json(input));
