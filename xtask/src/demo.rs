//! `cargo xtask demo`: a program that draws a chart, run in a sandbox that the `sandbox` command embeds.

use std::fs;
use std::io::ErrorKind;
use std::time::Instant;

use crate::python;
use crate::sh::{self, Result};

/// The program; its chart is saved under its name.
const PROGRAM: &str = "xtask/assets/line_chart.py";
const PICTURE: &str = "line_chart-1.png";

/// What every PNG begins with.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Prepares what the program needs, runs it, and makes sure that its picture is there.
pub(crate) fn run() -> Result<()> {
    let python = python::plotting().prepare()?;
    sh::timed("building the `sandbox` command", || {
        sh::run(&mut sh::cargo([
            "build",
            "--quiet",
            "--package",
            "sandbox-cli",
        ]))
    })?;
    let charts = sh::target().join("demo");
    let picture = charts.join(PICTURE);
    // One from before would prove nothing.
    match fs::remove_file(&picture) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }

    let mut sandbox = sh::command(sh::target().join("debug/sandbox"));
    sandbox.arg("run").arg("--python").arg(python);
    sandbox
        .arg("--charts-dir")
        .arg(sh::from_root(&charts))
        .arg(PROGRAM);
    sh::say(&format!("\n$ {}\n", sh::line(&sandbox)));
    let started = Instant::now();
    sh::run(&mut sandbox)?;

    let shown = sh::from_root(&picture).display();
    let bytes = fs::read(&picture).map_err(|error| format!("no picture at {shown}: {error}"))?;
    if !bytes.starts_with(SIGNATURE) {
        return Err(format!("{shown} is no PNG").into());
    }
    let (size, time) = (bytes.len(), sh::since(started));
    sh::say(&format!(
        "\n{shown}: a PNG of {size} bytes, {time} after the start of the command"
    ));
    Ok(())
}
