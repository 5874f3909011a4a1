//! `sandbox_wire::fuzzing::protobuf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_wire::fuzzing::protobuf(input));
