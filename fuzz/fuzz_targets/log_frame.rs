//! Frames, damaged and whole.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_logcodec::fuzzing::log_frame(input));
