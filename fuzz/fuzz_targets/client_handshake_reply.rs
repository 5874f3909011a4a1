//! `sandbox_transport::fuzzing::handshake_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_transport::fuzzing::handshake_reply(input));
