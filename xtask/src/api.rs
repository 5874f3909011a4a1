//! `cargo xtask api`: runs the package that lists the public API of the published crates.

use std::process::Command;

use crate::sh::{self, Result};

/// Compares the committed lists with the crates, or, with `write`, writes those that differ.
pub(crate) fn run(write: bool) -> Result<()> {
    let mut command = command();
    if write {
        command.arg("--write");
    }
    sh::run(&mut command)
}

/// Returns the command that compares.
pub(crate) fn command() -> Command {
    sh::cargo(["run", "--quiet", "--package", "xtask-api", "--"])
}
