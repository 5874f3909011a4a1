//! `cargo xtask codegen`: hands over to the package that generates, which is heavy to build and so apart.

use crate::sh::{self, Result};

/// Writes the generated files again, or, with `check`, only compares them.
pub(crate) fn run(check: bool) -> Result<()> {
    if !exists() {
        sh::say("nothing to generate: there is no package xtask/codegen");
        return Ok(());
    }
    let mut command = sh::cargo(["run", "--quiet", "--package", "xtask-codegen", "--"]);
    if check {
        command.arg("--check");
    }
    sh::run(&mut command)
}

/// Whether there is anything to generate.
pub(crate) fn exists() -> bool {
    sh::root().join("xtask/codegen/Cargo.toml").exists()
}
