//! The referees of `sandbox up`: published programs that drive Daytona, as they are, run on the control plane of this checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::conformance::Judged;
use crate::npm::{self, Package};
use crate::python::{self, Environment};
use crate::sdk;
use crate::sh::{self, Result};
use crate::typescript;

/// A program.
#[derive(Debug)]
pub(crate) struct Program {
    /// The name of its package.
    pub(crate) name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Python(Environment),
    Node(Package),
}

/// What runs them.
const SUITES: &str = "tests/programs";

/// Returns every program.
pub(crate) fn all() -> Result<Vec<Program>> {
    let suites = sh::root().join(SUITES);
    let mut programs = Vec::new();
    if let Some(newest) = sdk::newest()? {
        // The SDK is a program, too: that of the suites.
        programs.push(Program {
            name: "daytona".to_owned(),
            kind: Kind::Python(newest.environment()),
        });
    }
    for entry in fs::read_dir(suites.join("requirements"))? {
        programs.push(Program::of_requirements(entry?.path())?);
    }
    for package in typescript::packages(&suites.join("node"))? {
        let name = package.title.split(' ').next().unwrap_or_default();
        programs.push(Program {
            name: name.to_owned(),
            kind: Kind::Node(package),
        });
    }
    programs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(programs)
}

impl Program {
    fn of_requirements(requirements: PathBuf) -> Result<Self> {
        let oldest = fs::read_to_string(&requirements)?;
        let oldest = oldest.lines().next().and_then(oldest_python);
        let name = requirements.file_stem().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let environment = Environment {
            name: format!("program-{name}"),
            oldest: oldest.ok_or_else(|| format!("{} names no Python", requirements.display()))?,
            requirements,
            is_built: false,
            proof: "import daytona_api_client, daytona_toolbox_api_client",
            has_pip: false,
        };
        Ok(Self {
            name,
            kind: Kind::Python(environment),
        })
    }

    /// Returns what this machine lacks for it, with what helps.
    pub(crate) fn missing(&self) -> Option<String> {
        match &self.kind {
            Kind::Python(environment) if !environment.is_possible() => {
                let (major, minor) = environment.oldest;
                Some(format!(
                    "it needs Python {major}.{minor} or newer; help: install one, by pyenv for example"
                ))
            }
            _ => None,
        }
    }

    /// Returns the command that runs it; `plotting` is the Python that the daemon of this checkout runs code with.
    pub(crate) fn calls(&self, plotting: &Path, judged: &Judged) -> Result<Command> {
        let suites = Path::new(SUITES);
        let mut calls = match &self.kind {
            Kind::Python(environment) => {
                let mut python = sh::command(environment.prepare()?);
                python.arg("-B").arg(suites.join("run.py")).arg(&self.name);
                python
            }
            Kind::Node(package) => {
                let modules = package.prepare()?;
                let case = modules.file_name().unwrap_or_default();
                let mut node = npm::plain("node");
                node.arg(suites.join("cases").join(case).with_extension("mjs"));
                node.env("SANDBOX_TEST_MODULES", modules);
                node
            }
        };
        judged.equip(&mut calls, plotting)?;
        Ok(calls)
    }
}

/// Returns the version of `Python 3.12 or newer` in a line.
fn oldest_python(line: &str) -> Option<python::Version> {
    let (_, rest) = line.split_once("Python ")?;
    let (major, minor) = rest.split(' ').next()?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_its_calls_and_exact_requirements() {
        let programs = all().unwrap();
        assert_eq!(programs.len(), 9, "{programs:?}");
        for program in programs {
            let Kind::Python(environment) = &program.kind else {
                continue;
            };
            let case = format!("{SUITES}/cases/{}.py", program.name.replace('-', "_"));
            assert!(sh::root().join(&case).is_file(), "{case}");
            let requirements = fs::read_to_string(&environment.requirements).unwrap();
            let lines: Vec<_> = requirements.lines().skip(1).collect();
            assert!(lines.iter().all(|line| line.contains("==")));
            let own = format!("{}==", program.name);
            assert!(lines.iter().any(|line| line.starts_with(&own)), "{own}");
        }
    }

    #[test]
    fn the_oldest_python_is_read() {
        let read = oldest_python("# It needs Python 3.12 or newer.");
        assert_eq!(read, Some((3, 12)));
        assert_eq!(oldest_python("# It needs Python."), None);
    }
}
