//! `cargo xtask codegen`: runs the package that generates, which is slow to build and therefore separate. Its own test
//! compares what is committed.

use crate::sh::{self, Result};

/// Writes the generated files again, or, with `check`, only compares them.
pub(crate) fn run(check: bool) -> Result<()> {
    let mut command = sh::cargo(["run", "--quiet", "--package", "xtask-codegen", "--"]);
    if check {
        command.arg("--check");
    }
    sh::run(&mut command)
}
