//! Counts the instructions of the codec and of the engine's part of a command, and compares them with the committed numbers: times
//! mean little on a machine that others use, too.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::sh::{self, Result};

/// The committed numbers: a name and a number in each line.
const COMMITTED: &str = "crates/sandbox-engine/benches/instructions.txt";

/// The part by which a number may be larger than the committed one.
const TOLERANCE: f64 = 0.05;

/// Counts, and compares with what is committed.
pub(crate) fn check() -> Result<()> {
    let program = build()?;
    // An engine also looks at what others have left among the temporary files.
    let temporary = sh::target().join("instructions");
    let _ = fs::remove_dir_all(&temporary);
    fs::create_dir_all(&temporary)?;
    let committed = fs::read_to_string(sh::root().join(COMMITTED))?;
    let (mut counted, mut grown) = (String::new(), Vec::new());
    for line in committed.lines() {
        let fields = line.split_once(' ');
        let fields = fields.and_then(|(name, before)| Some((name, before.trim().parse().ok()?)));
        let (name, before): (&str, u64) = fields.ok_or_else(|| format!("{COMMITTED}: {line}"))?;
        let now = count(&program, &temporary, name)?;
        let _ = writeln!(counted, "{name:<11} {now}");
        let change = now as f64 / before as f64 - 1.0;
        sh::say(&format!(
            "{name:<11} {now:>12} instructions, {:+.1} %",
            change * 100.0
        ));
        if change > TOLERANCE {
            grown.push(name);
        }
    }
    if grown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} take more instructions than before; profile with `valgrind --tool=callgrind {} NAME COUNT`\n\
         help: if it has to be so, {COMMITTED} is then:\n{counted}",
        grown.join(", "),
        sh::from_root(&program).display(),
    )
    .into())
}

/// Builds the program that does things again and again.
fn build() -> Result<PathBuf> {
    let mut cargo = sh::cargo([
        "bench",
        "--package=sandbox-engine",
        "--bench=instructions",
        "--no-run",
        "--message-format=json",
    ]);
    let messages = sh::output(&mut cargo)?;
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(message["executable"].as_str()?.into())
    };
    let found = messages.lines().rev().find_map(executable);
    found.ok_or_else(|| "cargo names no executable".into())
}

/// Returns the instructions of doing a thing, without those of the start and end of the program: the fewest of some runs, since how
/// often a program is woken up differs.
fn count(program: &Path, temporary: &Path, name: &str) -> Result<u64> {
    let least = |times| {
        let counts = (0..RUNS).map(|_| run(program, temporary, name, times));
        let counts: Result<Vec<_>> = counts.collect();
        Ok(counts?.into_iter().min().unwrap_or_default())
    };
    let few: Result<u64> = least(FEW);
    Ok(least(FEW + MORE)?.saturating_sub(few?) / MORE)
}

const RUNS: usize = 2;
const FEW: u64 = 5;
const MORE: u64 = 20;

/// Starts a program that sees no other processes: the engine looks at all that there are.
const APART: &str = "unshare --user --map-root-user --pid --fork --kill-child --mount-proc";

fn run(program: &Path, temporary: &Path, name: &str, times: u64) -> Result<u64> {
    let mut words = APART.split(' ');
    let mut valgrind = sh::command(words.next().unwrap_or_default());
    valgrind.args(words);
    valgrind.args([
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ]);
    valgrind.arg("--log-fd=1").arg(program).arg(name);
    // A child is given every variable, and each has its cost.
    valgrind.arg(times.to_string()).env_clear();
    valgrind
        .env("PATH", "/usr/bin:/bin")
        .env("TMPDIR", temporary);
    let said = sh::output(&mut valgrind)?;
    // The program's own is the last line: a child that became no other program has one, too.
    let collected = said.lines().rev().find_map(|line| {
        let (_, number) = line.split_once("Collected : ")?;
        number.trim().parse().ok()
    });
    collected.ok_or_else(|| format!("callgrind counted nothing: {said}").into())
}
