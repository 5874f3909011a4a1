//! What rustdoc knows of the workspace, as JSON.
//!
//! That form is unstable: a stable rustdoc writes it only if `RUSTC_BOOTSTRAP` is set. Set for all of cargo, the variable would reach
//! build scripts, some of which then choose other code, so that every dependency would be compiled once more. Here it reaches
//! rustdoc alone: cargo runs this program in its place, which sets the variable and runs the real one.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::{Result, root};

/// Set where this program is to be rustdoc: the real one.
const RUSTDOC: &str = "XTASK_API_RUSTDOC";

/// Runs rustdoc, if cargo has started this program in place of it.
pub(crate) fn stand_in() -> Option<ExitCode> {
    let mut rustdoc = command(std::env::var_os(RUSTDOC)?);
    rustdoc.args(std::env::args_os().skip(1));
    let status = rustdoc.env("RUSTC_BOOTSTRAP", "1").status();
    let is_success = status.is_ok_and(|status| status.success());
    Some(if is_success {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Describes all libraries of the workspace, and returns the folder of the descriptions.
///
/// The packages and targets are those of the step `docs` of `cargo xtask test`, so that nothing that they depend on is compiled for
/// this alone.
pub(crate) fn describe() -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.args(["doc", "--quiet", "--workspace", "--no-deps", "--lib"]);
    cargo.args(["--example", "exec"]);
    let rustdoc = std::env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    cargo.env(RUSTDOC, rustdoc);
    cargo.env("RUSTDOC", std::env::current_exe()?);
    let flags = "-Z unstable-options --output-format json";
    let status = cargo.env("RUSTDOCFLAGS", flags).status()?;
    if !status.success() {
        return Err(format!("`cargo doc` failed: {status}").into());
    }
    // This program is in the folder that cargo marks.
    let program = std::env::current_exe()?;
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists());
    Ok(target.unwrap_or(&root().join("target")).join("doc"))
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

#[expect(
    clippy::disallowed_methods,
    reason = "a tool runs cargo and rustdoc; it is no part of a sandbox"
)]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}
