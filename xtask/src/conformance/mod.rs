//! `cargo xtask conformance`: everything that speaks to a daemon as strangers do, and a table of what became of it.
//!
//! Official SDKs, as published, and the exchanges recorded from the reference, judge the daemon of this checkout, or another one.

mod page;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::sh::{self, Result};
use crate::{programs, python, sdk, typescript};
pub(crate) use report::Report;

/// What is judged, and where it is reported.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// The file of the report.
    pub(crate) report: Option<PathBuf>,
    /// The address of a daemon that the tests did not start.
    url: Option<String>,
    /// What it wants to be shown.
    token: Option<String>,
    /// Whether the command of this checkout is built.
    pub(crate) is_built: bool,
}

impl Judged {
    /// The daemon of this checkout, with a report at `path`.
    pub(crate) fn ours(path: PathBuf) -> Result<Self> {
        clear(&path)?;
        Ok(Self {
            report: Some(path),
            ..Self::default()
        })
    }

    /// Gives the suites of an SDK what they need: the command of this checkout, which is built, and `plotting`, the Python
    /// that its daemon runs code with.
    pub(crate) fn equip(&self, suites: &mut Command, plotting: &Path) -> Result<()> {
        if !self.is_built {
            let build = ["build", "--quiet", "--package", "sandbox-cli"];
            sh::run(&mut sh::cargo(build))?;
            let build = [
                "build",
                "--quiet",
                "--package",
                "sandbox-control",
                "--example",
                "daemons",
            ];
            sh::run(&mut sh::cargo(build))?;
        }
        let control = sh::target().join("debug/examples/daemons");
        suites.env("SANDBOX_TEST_CONTROL", control);
        suites.env("SANDBOX_TEST_BINARY", sh::target().join("debug/sandbox"));
        suites.env("SANDBOX_TEST_PYTHON", plotting);
        self.tell(suites);
        Ok(())
    }

    /// Passes it to the suites.
    pub(crate) fn tell(&self, suites: &mut Command) {
        if let Some(report) = &self.report {
            suites.env("SANDBOX_TEST_REPORT", report);
        }
        if let Some(url) = &self.url {
            suites.env("SANDBOX_TEST_URL", url);
            suites.env("SANDBOX_TEST_TOKEN", self.token.as_deref().unwrap_or(""));
        }
    }
}

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The daemon; that of this checkout if there is none.
    pub(crate) url: Option<String>,
    /// The file of its token.
    pub(crate) token_file: Option<PathBuf>,
    /// Whether the page is written.
    pub(crate) write: bool,
}

/// Where the report is while it grows.
pub(crate) fn report_path() -> PathBuf {
    sh::target().join("conformance.jsonl")
}

/// Runs all suites, whatever becomes of each.
pub(crate) fn run(wanted: &Wanted) -> Result<ExitCode> {
    if wanted.write && wanted.url.is_some() {
        return Err("the page is about the daemon of this checkout: --write takes no URL".into());
    }
    let token = match &wanted.token_file {
        Some(path) => Some(read(path)?.trim().to_owned()),
        None => None,
    };
    let path = report_path();
    let judged = Judged {
        url: wanted.url.clone(),
        token,
        ..Judged::ours(path.clone())?
    };
    let plotting = python::plotting().prepare()?;
    let mut broken = Vec::new();
    for version in sdk::versions()? {
        let suites = version.suites(&plotting, &judged);
        if let Err(error) = suites.and_then(|mut suites| sh::run(&mut suites)) {
            sh::complain(&format!("error: {error}"));
            broken.push(version.name);
        }
    }
    for package in typescript::sdks()? {
        let suites = package.suites(&plotting, &judged);
        if let Err(error) = suites.and_then(|mut suites| sh::run(&mut suites)) {
            sh::complain(&format!("error: {error}"));
            broken.push(package.title);
        }
    }
    if wanted.url.is_none() {
        broken.append(&mut programs_of(&plotting, &judged)?);
    }
    if let Err(error) = exchanges(&plotting, &judged) {
        sh::complain(&format!("error: {error}"));
        broken.push("recorded exchanges".to_owned());
    }
    let report = Report::read(&path)?;
    sh::say(&report.table());
    if wanted.write {
        let committed = read(&page_path())?;
        let page = page::render(&report, &page::recordings()?, &committed)?;
        fs::write(page_path(), page)?;
    }
    for name in &broken {
        sh::complain(&format!("failed: {name}"));
    }
    if broken.is_empty() && report.failures().next().is_none() {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
}

/// Runs the published programs, which need a control plane and so run on that of this checkout alone. Returns those that failed.
fn programs_of(plotting: &Path, judged: &Judged) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for program in programs::all()? {
        if let Some(help) = program.missing() {
            sh::say(&format!("{}: skipped: {help}", program.name));
            continue;
        }
        let calls = program.calls(plotting, judged);
        if let Err(error) = calls.and_then(|mut calls| sh::run(&mut calls)) {
            sh::complain(&format!("error: {error}"));
            broken.push(program.name);
        }
    }
    Ok(broken)
}

/// Holds the committed page to a report.
pub(crate) fn check_page(report: &Report) -> Result<()> {
    let committed = read(&page_path())?;
    let page = page::render(report, &page::recordings()?, &committed)?;
    if committed == page {
        return Ok(());
    }
    let observed = sh::target().join("COMPATIBILITY.md");
    fs::write(&observed, page)?;
    Err(format!(
        "docs/COMPATIBILITY.md is not what this run has shown, which is now in {}",
        sh::from_root(&observed).display()
    )
    .into())
}

/// The exchanges, one after the other: they all meet the same daemon.
fn exchanges(plotting: &Path, judged: &Judged) -> Result<()> {
    let mut tests = sh::cargo(["test", "--package", "sandbox-daemon", "--test", "it"]);
    tests.args(["recorded", "--", "--test-threads=1"]);
    tests.env("SANDBOX_TEST_PYTHON", plotting);
    judged.tell(&mut tests);
    sh::run(&mut tests)
}

fn page_path() -> PathBuf {
    sh::root().join("docs/COMPATIBILITY.md")
}

fn read(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path);
    text.map_err(|error| format!("{}: {error}", path.display()).into())
}

fn clear(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", path.display()).into())
        }
        _ => Ok(()),
    }
}
