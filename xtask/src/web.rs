//! `cargo xtask web`: the `sandbox` command with a terminal on its page, which is xterm.js from npm; and the tests of that page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::npm::{self, Package};
use crate::sh::{self, Result};

/// The versions.
const PACKAGE: &str = "xtask/assets/web";

/// Files of the packages, and the names by which they are embedded.
const FILES: [(&str, &str); 4] = [
    ("xterm/lib/xterm.mjs", "xterm.js"),
    ("addon-fit/lib/addon-fit.mjs", "fit.js"),
    ("xterm/css/xterm.css", "xterm.css"),
    ("xterm/LICENSE", LICENSE),
];

const LICENSE: &str = "LICENSE";

/// Builds the command.
pub(crate) fn run() -> Result<()> {
    let mut build = sh::cargo(["build", "--package", "sandbox-cli"]);
    sh::run(embed(&mut build, "sandbox-cli/web")?)?;
    let program = sh::target().join("debug/sandbox");
    sh::say(&format!("{} up", sh::from_root(&program).display()));
    Ok(())
}

/// Has a build embed the terminal, by a feature of one of its packages.
pub(crate) fn embed<'a>(build: &'a mut Command, feature: &str) -> Result<&'a mut Command> {
    let files = prepare()?;
    Ok(build
        .args(["--features", feature])
        .env("SANDBOX_WEB_DIR", files))
}

/// Returns the license of what is embedded, which a distribution contains.
pub(crate) fn license() -> Result<PathBuf> {
    Ok(prepare()?.join(LICENSE))
}

pub(crate) fn package() -> Result<Package> {
    Package::read(sh::root().join(PACKAGE))
}

/// Downloads the files unless they are there, and returns their directory.
fn prepare() -> Result<PathBuf> {
    let modules = package()?.prepare()?.join("node_modules/@xterm");
    let home = sh::target().join("web");
    fs::create_dir_all(&home)?;
    for (from, to) in FILES {
        let bytes = fs::read(modules.join(from))?;
        let to = home.join(to);
        // A file that is as it was leaves what was built with it valid.
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        fs::write(to, bytes)?;
    }
    Ok(home)
}

/// The program that tests the page in a browser; `plotting` is the Python that draws its charts.
pub(crate) fn suite(plotting: &Path, is_built: bool) -> Result<Command> {
    if !is_built {
        let build = ["build", "--quiet", "--package", "sandbox-control"];
        let mut build = sh::cargo(build);
        build.args(["--example", "daemons"]);
        sh::run(embed(&mut build, "sandbox-control/web")?)?;
    }
    let mut suite = npm::plain("node");
    suite.arg("tests/browser/run.mjs");
    let control = sh::target().join("debug/examples/daemons");
    suite.env("SANDBOX_TEST_CONTROL", control);
    suite.env("SANDBOX_TEST_PYTHON", plotting);
    Ok(suite)
}
