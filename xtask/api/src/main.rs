//! `cargo run -p xtask-api -- [--write]`: the public API of each published crate, compared with its committed list or written there.
//!
//! A package of its own, since cargo also runs it in place of rustdoc: see [`rustdoc`].

#![forbid(unsafe_code)]

mod docs;
mod foreign;
mod list;
mod rustdoc;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What can go wrong here is for a person to read.
type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const USAGE: &str = "usage: cargo xtask api [--write]";
const HELP: &str =
    "if it has to be so, run `cargo xtask api --write`, commit the lists and add to CHANGELOG.md";

fn main() -> ExitCode {
    if let Some(code) = rustdoc::stand_in() {
        return code;
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        [] => check(false),
        ["--write"] => check(true),
        _ => {
            complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Compares the lists with the crates, or writes those that differ; no list may name what its crate must not show, and what is
/// listed has the sections that it must have.
fn check(is_written: bool) -> Result<()> {
    let packages = published()?;
    let folder = rustdoc::describe()?;
    let mut faults = Vec::new();
    for package in &packages {
        let now = list::read(&folder, &package.name)?;
        let path = package.folder.join("public-api.txt");
        let shown = path.strip_prefix(root()).unwrap_or(&path).display();
        faults.extend(
            foreign::found(&package.name, &now)
                .iter()
                .map(|fault| format!("{shown}: {fault}")),
        );
        faults.extend(docs::without_cancel_safety(&folder, &package.name)?);
        let before = fs::read_to_string(&path).unwrap_or_default();
        let differences = list::differences(&before, &now);
        if differences.is_empty() {
            continue;
        }
        if is_written {
            complain(&format!("writing {shown}"));
            fs::write(&path, list::text(&now))?;
        } else {
            faults.push(format!(
                "{shown}: the API is another\n{}\nhelp: {HELP}",
                differences.join("\n")
            ));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(faults.join("\n").into())
}

/// A package that crates.io gets.
struct Package {
    name: String,
    folder: PathBuf,
}

fn published() -> Result<Vec<Package>> {
    let mut cargo = rustdoc::cargo();
    let output = cargo
        .args(["metadata", "--no-deps", "--format-version=1"])
        .output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let packages = packages.filter(|package| package["publish"].is_null());
    let package = |package: &serde_json::Value| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        Some(Package {
            name: package["name"].as_str()?.to_owned(),
            folder: manifest.parent()?.to_owned(),
        })
    };
    let packages: Option<Vec<_>> = packages.map(package).collect();
    packages.ok_or_else(|| "cargo metadata names no packages".into())
}

/// The root of the repository.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

#[expect(clippy::print_stderr, reason = "a tool speaks to who runs it")]
fn complain(text: &str) {
    eprintln!("{text}");
}
