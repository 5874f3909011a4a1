//! `sandbox_transport::fuzzing::sockets`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_transport::fuzzing::sockets(input));
