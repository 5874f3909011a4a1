//! `sandbox_files::fuzzing::archives`, in a directory of the system's for temporary files.
#![no_main]

use std::sync::LazyLock;

static DIR: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory can be made"));

libfuzzer_sys::fuzz_target!(|input: &[u8]| sandbox_files::fuzzing::archives(DIR.path(), input));
