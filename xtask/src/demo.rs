//! `cargo xtask demo`: a tour by the `sandbox` command, on this machine: a command, a real chart from real Python, a session with
//! live logs, an interpreter that remembers, a terminal that stays.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::python;
use crate::sh::{self, Result};

/// The program; its chart is saved under its name.
const PROGRAM: &str = "xtask/assets/line_chart.py";
const PICTURE: &str = "line_chart-1.png";

/// What every PNG begins with.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Prepares what the tour needs, goes on it, and makes sure that its picture is there.
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
    let started = Instant::now();
    let tour = Tour::begin(python)?;
    let outcome = tour.go();
    // Whatever became of it: nothing is left running.
    let stopped = tour.quietly(&["stop"]);
    outcome.and(stopped)?;
    sh::say(&format!("\nthe tour took {}", sh::since(started)));
    Ok(())
}

/// A daemon in the background of the tour's own.
struct Tour {
    python: PathBuf,
    place: PathBuf,
}

impl Tour {
    fn begin(python: PathBuf) -> Result<Self> {
        // Not below `target`: the path of a socket has 107 bytes.
        let place = std::env::temp_dir().join(format!("sandbox-demo-{}", std::process::id()));
        fs::create_dir(&place)?;
        Ok(Self { python, place })
    }

    fn go(&self) -> Result<()> {
        self.say("a command, its outputs apart, its exit code");
        self.run(&[
            "exec",
            "echo \"hello from $(uname -s)\"; sed -n 's/^PRETTY_NAME=//p' /etc/os-release",
        ])?;

        self.say("a program that draws a chart");
        self.chart()?;

        self.say("a session: what one command sets the next one finds");
        self.run(&["session", "create", "tour"])?;
        self.run(&[
            "session",
            "exec",
            "tour",
            "NAME=sandbox; count() { for i in 1 2 3; do echo \"$NAME $i\"; sleep 0.3; done; }",
        ])?;
        self.run(&["session", "exec", "tour", "count"])?;
        self.run(&["session", "list", "tour"])?;

        self.say("an interpreter that remembers");
        self.type_into(&["repl"], "x = 40")?;
        self.type_into(&["repl"], "print(x + 2)")?;

        self.say("a terminal that stays, and is resized");
        self.run(&["pty", "open", "--detach", "--id", "tour"])?;
        self.run(&["pty", "resize", "tour", "132", "43"])?;
        self.run(&["pty", "list"])?;
        self.run(&["status"])
    }

    /// Draws, and makes sure that the picture is there.
    fn chart(&self) -> Result<()> {
        let charts = sh::target().join("demo");
        let picture = charts.join(PICTURE);
        // One from before would prove nothing.
        match fs::remove_file(&picture) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let charts = sh::from_root(&charts).display().to_string();
        let python = self.python.display().to_string();
        self.run(&["run", "--python", &python, "--charts-dir", &charts, PROGRAM])?;
        let shown = sh::from_root(&picture).display();
        let bytes =
            fs::read(&picture).map_err(|error| format!("no picture at {shown}: {error}"))?;
        match bytes.starts_with(SIGNATURE) {
            true => Ok(()),
            false => Err(format!("{shown} is no PNG").into()),
        }
    }

    fn say(&self, what: &str) {
        sh::say(&format!("\n== {what}"));
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        let mut command = self.command(arguments);
        sh::say(&format!("\n$ {}", shown(arguments)));
        sh::run(&mut command)
    }

    fn quietly(&self, arguments: &[&str]) -> Result<()> {
        sh::run(&mut self.command(arguments))
    }

    /// Gives a command a line on its standard input.
    fn type_into(&self, arguments: &[&str], line: &str) -> Result<()> {
        let mut command = self.command(arguments);
        sh::say(&format!("\n$ echo '{line}' | {}", shown(arguments)));
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            writeln!(stdin, "{line}")?;
        }
        match child.wait()?.success() {
            true => Ok(()),
            false => Err(format!("`{}` failed", shown(arguments)).into()),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut sandbox = sh::command(sh::target().join("debug/sandbox"));
        sandbox.args(arguments);
        sandbox.env("XDG_RUNTIME_DIR", &self.place);
        sandbox
            .env_remove("SANDBOX_URL")
            .env_remove("SANDBOX_TOKEN");
        sandbox
    }
}

impl Drop for Tour {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.place);
    }
}

/// The command as one would type it.
fn shown(arguments: &[&str]) -> String {
    let word = |word: &&str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
        match word.chars().all(is_plain) {
            true => (*word).to_owned(),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        }
    };
    let words: Vec<_> = arguments.iter().map(word).collect();
    format!("sandbox {}", words.join(" "))
}
