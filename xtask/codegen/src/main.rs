//! `cargo run -p xtask-codegen -- [--check]`: the committed Rust of `proto/`, written or compared.
//!
//! A package of its own, since its compilers are heavy to build; `cargo xtask codegen` calls it.

#![forbid(unsafe_code)]

mod generate;
mod output;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use output::Difference;

/// What can go wrong here is for a person to read.
type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const USAGE: &str = "usage: cargo xtask codegen [--check]";
const HELP: &str = "run `cargo xtask codegen` and commit what it writes";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        [] => write(),
        ["--check"] => check(),
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

/// Writes what is not there as it should be.
fn write() -> Result<()> {
    for difference in output::differences(&generate::all()?)? {
        complain(&format!("writing {difference}"));
        difference.write()?;
    }
    Ok(())
}

/// Fails if anything is not there as it should be.
fn check() -> Result<()> {
    let files = generate::all()?;
    let differences = output::differences(&files)?;
    if differences.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = differences.iter().map(Difference::to_string).collect();
    Err(format!("{}\nhelp: {HELP}", lines.join("\n")).into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_what_would_be_generated() {
        check().unwrap();
    }
}
