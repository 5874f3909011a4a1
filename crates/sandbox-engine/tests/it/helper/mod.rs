//! A program of the tests' own, built once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The program; commands of an engine from [`crate::guard`] find it as `$H`.
pub(crate) fn program() -> &'static Path {
    &PROGRAM
}

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/helper/program.rs");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = directory.join("engine-test-helper");
    let built = |path: &Path| std::fs::metadata(path)?.modified();
    if built(&program).is_ok_and(|made| made > built(Path::new(source)).unwrap()) {
        return program;
    }
    // Whole or not there: another process may be building it as well.
    let unfinished = directory.join(format!("engine-test-helper-{}", std::process::id()));
    #[expect(clippy::disallowed_methods, reason = "builds what the tests run")]
    let status = Command::new("rustc")
        .args(["--edition", "2024", "-O", "-o"])
        .args([unfinished.as_path(), Path::new(source)])
        .status()
        .unwrap();
    assert!(status.success(), "the tests' helper does not build");
    std::fs::rename(unfinished, &program).unwrap();
    program
});
