//! `cargo xtask bench`: what things cost, beside what they cost bare, in the same run.

use crate::python;
use crate::sh::{self, Result};

/// The benches by name: what `cargo bench` is told.
const BENCHES: &[(&str, &[&str])] = &[
    (
        "carriers",
        &["--package", "sandbox-tests", "--bench", "carriers"],
    ),
    (
        "charts",
        &["--package", "sandbox-charts", "--bench", "charts"],
    ),
    ("exec", &["--package", "sandbox-tests", "--bench", "exec"]),
    (
        "interpreter",
        &["--package", "sandbox-engine", "--bench", "interpreter"],
    ),
    (
        "logcodec",
        &["--package", "sandbox-logcodec", "--bench", "codec"],
    ),
    (
        "sessions",
        &["--package", "sandbox-engine", "--bench", "sessions"],
    ),
    (
        "terminals",
        &["--package", "sandbox-engine", "--bench", "terminals"],
    ),
];

/// Runs the benches whose name begins with one of `wanted`, or all.
pub(crate) fn run(wanted: &[String]) -> Result<()> {
    let python = python::plotting().prepare()?;
    let is_wanted = |name: &str| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|prefix| name.starts_with(prefix.as_str()))
    };
    let chosen: Vec<_> = BENCHES.iter().filter(|(name, _)| is_wanted(name)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = BENCHES.iter().map(|(name, _)| *name).collect();
        return Err(format!("no such bench; there are {}", names.join(", ")).into());
    }
    for (name, arguments) in chosen {
        sh::say(&format!("\n==> {name}"));
        let mut bench = sh::cargo(["bench", "--quiet"]);
        sh::run(bench.args(*arguments).env("SANDBOX_TEST_PYTHON", &python))?;
    }
    Ok(())
}
