//! `cargo xtask demo`: a tour of the `sandbox` command on this machine, as lines for a shell.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use crate::python;
use crate::sh::{self, Result};

/// What is shown, and the lines that show it. `$PYTHON` has matplotlib, `$CHARTS` is a directory for pictures.
const TOUR: &[(&str, &[&str])] = &[
    (
        "a command, its outputs apart, its exit code",
        &[
            "sandbox exec 'echo \"hello from $(uname -s)\"; sed -n \"s/^PRETTY_NAME=//p\" /etc/os-release'",
        ],
    ),
    (
        "a program that draws a chart",
        &["sandbox run --python $PYTHON --charts-dir $CHARTS xtask/assets/line_chart.py"],
    ),
    (
        "a session: a command finds the variables and functions of those before it",
        &[
            "sandbox session create tour",
            "sandbox session exec tour 'NAME=sandbox; count() { for i in 1 2 3; do echo \"$NAME $i\"; sleep 0.3; done; }'",
            "sandbox session exec tour count",
            "sandbox session list tour",
        ],
    ),
    (
        "a stateful interpreter",
        &[
            "echo 'x = 40' | sandbox repl",
            "echo 'print(x + 2)' | sandbox repl",
        ],
    ),
    (
        "a terminal that runs without a client, and is resized",
        &[
            "sandbox pty open --detach --id tour",
            "sandbox pty resize tour 132 43",
            "sandbox pty list",
            "sandbox status",
        ],
    ),
];

/// What every PNG begins with.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Prepares what the tour needs, runs it, and makes sure that its picture is there.
pub(crate) fn run() -> Result<()> {
    let python = python::plotting().prepare()?;
    sh::timed("building the `sandbox` command", || {
        let build = ["build", "--quiet", "--package", "sandbox-cli"];
        sh::run(&mut sh::cargo(build))
    })?;
    let started = Instant::now();
    let charts = sh::target().join("demo");
    // One from before would prove nothing.
    match fs::remove_dir_all(&charts) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    // Not below `target`: the path of a socket has 107 bytes.
    let sockets = std::env::temp_dir().join(format!("sandbox-demo-{}", std::process::id()));
    fs::create_dir(&sockets)?;
    let go = |line: &str| {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = sh::command("sh");
        shell.args(["-c", line]);
        shell.env(
            "PATH",
            format!("{}:{path}", sh::target().join("debug").display()),
        );
        shell.env("PYTHON", sh::from_root(&python));
        shell.env("CHARTS", sh::from_root(&charts));
        shell.env("XDG_RUNTIME_DIR", &sockets);
        sh::run(shell.env_remove("SANDBOX_URL").env_remove("SANDBOX_TOKEN"))
    };
    let tour = TOUR.iter().try_for_each(|(what, lines)| {
        sh::say(&format!("\n== {what}"));
        lines.iter().try_for_each(|line| {
            sh::say(&format!("\n$ {line}"));
            go(line)
        })
    });
    // Whatever the tour has come to: nothing is left running.
    let stopped = go("sandbox stop");
    let removed = fs::remove_dir_all(&sockets);
    tour.and(stopped)?;
    removed?;
    check(&charts.join("line_chart-1.png"))?;
    sh::say(&format!("\nthe tour took {}", sh::since(started)));
    Ok(())
}

fn check(picture: &Path) -> Result<()> {
    let shown = sh::from_root(picture).display();
    let bytes = fs::read(picture).map_err(|error| format!("no picture at {shown}: {error}"))?;
    match bytes.starts_with(SIGNATURE) {
        true => Ok(()),
        false => Err(format!("{shown} is no PNG").into()),
    }
}
