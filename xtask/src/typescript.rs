//! The referee: official TypeScript SDKs, as published, drive `sandbox serve`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::conformance::Judged;
use crate::npm::{self, Package};
use crate::sh::{self, Result};

/// The suites, and below them a folder for each package.
const SUITES: &str = "tests/sdk/typescript";

/// Every package that the suites are run with.
pub(crate) fn sdks() -> Result<Vec<Package>> {
    packages(&sh::root().join(SUITES))
}

/// The packages that have a folder below another one.
pub(crate) fn packages(parent: &Path) -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for entry in fs::read_dir(parent)? {
        let folder = entry?.path();
        if folder.is_dir() {
            packages.push(Package::read(folder)?);
        }
    }
    packages.sort_by(|one, other| one.title.cmp(&other.title));
    Ok(packages)
}

impl Package {
    /// The program that runs the suites; `plotting` is the Python that the daemon of this checkout runs code with.
    pub(crate) fn suites(&self, plotting: &Path, judged: &Judged) -> Result<Command> {
        let modules = self.prepare()?;
        let mut suites = npm::plain("node");
        suites.arg(Path::new(SUITES).join("run.mjs"));
        suites.env("SANDBOX_TEST_MODULES", modules);
        judged.equip(&mut suites, plotting)?;
        Ok(suites)
    }
}
