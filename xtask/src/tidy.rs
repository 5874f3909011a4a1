//! `cargo xtask tidy`: the rules of the tree that the compiler does not hold. It reports every finding, with its place
//! and what to do about it.

mod code;
mod layers;
mod limits;
mod manifests;
mod packages;
mod sources;
mod tree;

use std::fmt;
use std::process::ExitCode;

use crate::sh::{self, Result};
use packages::Package;
use tree::Tree;

/// A place where a rule does not hold.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    what: String,
    help: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
            help: help.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            what,
            help,
        } = self;
        write!(f, "{path}:{line}: {what}\n    help: {help}")
    }
}

/// Reports on the terminal.
pub(crate) fn run() -> Result<ExitCode> {
    Ok(match check() {
        Ok(()) => {
            sh::say("tidy");
            ExitCode::SUCCESS
        }
        Err(findings) => {
            sh::complain(&findings.to_string());
            ExitCode::FAILURE
        }
    })
}

/// Holds the tree against every rule; the error lists all findings.
pub(crate) fn check() -> Result<()> {
    let tree = Tree::read()?;
    let packages = Package::all()?;
    let mut findings = layers::check(&packages, &tree);
    findings.extend(manifests::check(&packages, &tree));
    findings.extend(sources::check(&tree));
    findings.extend(limits::check(&tree));
    if findings.is_empty() {
        return Ok(());
    }
    findings.sort();
    let mut lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
    lines.push(format!("findings: {}", findings.len()));
    Err(lines.join("\n").into())
}

/// Whether a check found this and nothing else.
#[cfg(test)]
#[track_caller]
fn assert_found(findings: &[Finding], expect: &[&str]) {
    let found: Vec<_> = findings.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(found, expect);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        super::check().unwrap_or_else(|findings| panic!("{findings}"));
    }
}
