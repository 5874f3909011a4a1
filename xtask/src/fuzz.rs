//! `cargo xtask fuzz`: builds the targets below `fuzz/` with coverage counters, as `cargo fuzz` would, and runs them.

use std::fs;
use std::path::Path;

use crate::sh::{self, Result};

/// Runs the target that `values` name first, or each in turn, for the seconds that they name second.
pub(crate) fn run(values: &[String]) -> Result<()> {
    let home = sh::root().join("fuzz");
    let targets = targets(&home)?;
    if targets.is_empty() {
        sh::say("nothing to fuzz: there is no target below fuzz/fuzz_targets");
        return Ok(());
    }
    let seconds: u32 = match values.get(1) {
        Some(text) => text
            .parse()
            .map_err(|_| format!("`{text}` is no number of seconds"))?,
        None => 10,
    };
    let chosen = match values.first() {
        Some(name) if targets.contains(name) => std::slice::from_ref(name),
        Some(name) => {
            return Err(format!("no target `{name}`; there are {}", targets.join(", ")).into());
        }
        None => &targets,
    };
    for target in chosen {
        sh::timed(&format!("fuzzing {target} for {seconds} s"), || {
            fuzz(&home, target, seconds)
        })?;
    }
    Ok(())
}

fn targets(home: &Path) -> Result<Vec<String>> {
    let folder = home.join("fuzz_targets");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names)
}

fn fuzz(home: &Path, target: &str, seconds: u32) -> Result<()> {
    let corpus = home.join("corpus").join(target);
    let artifacts = home.join("artifacts").join(target);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut cargo = sh::cargo([
        "run",
        "--quiet",
        "--release",
        "--target",
        &host()?,
        "--bin",
        target,
    ]);
    cargo
        .current_dir(home)
        .env("RUSTFLAGS", COVERAGE)
        .arg("--")
        .arg(corpus);
    cargo.arg(format!("-max_total_time={seconds}"));
    cargo.arg(format!("-artifact_prefix={}/", artifacts.display()));
    sh::run(&mut cargo)
}

/// This machine's triple. Named as the target, it keeps [`COVERAGE`] from build scripts.
fn host() -> Result<String> {
    let text = sh::output(sh::command("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "`rustc -vV` names no host".into())
}

/// Instruments for libFuzzer's coverage; overflows and debug assertions are findings.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";
