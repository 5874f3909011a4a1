//! `cargo xtask attack`: attacks on the daemon and the control plane, each on a promise of SECURITY.md or LIMITS.md.

use std::process::Command;

use crate::sh::{self, Result};

/// What is attacked, and for how long.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Names of attacks; empty for all.
    pub(crate) names: Vec<String>,
    /// Minutes instead of seconds.
    pub(crate) long: bool,
    /// Attacks a release build.
    pub(crate) release: bool,
    /// Whether the programs are built.
    pub(crate) is_built: bool,
}

/// Runs the attacks.
pub(crate) fn run(wanted: &Wanted) -> Result<()> {
    sh::run(&mut suite(wanted)?)
}

/// Builds the programs and returns the command that attacks them.
pub(crate) fn suite(wanted: &Wanted) -> Result<Command> {
    let mut build = sh::cargo(["build", "--package", "sandbox-daemon"]);
    build.args(["--package", "sandbox-cli"]);
    let profile = if wanted.release {
        build.arg("--release");
        "release"
    } else {
        "debug"
    };
    if !wanted.is_built {
        sh::run(&mut build)?;
    }
    let mut suite = sh::command("python3");
    suite.args(["-B", "tests/attack/run.py"]);
    suite.args(&wanted.names);
    if wanted.long {
        suite.arg("--long");
    }
    let built = sh::target().join(profile);
    suite.env("SANDBOX_DAEMON", built.join("sandbox-daemon"));
    suite.env("SANDBOX_COMMAND", built.join("sandbox"));
    Ok(suite)
}
