//! The referee: official SDKs, as published, drive `sandbox serve`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::conformance::Judged;
use crate::python::Environment;
use crate::sh::{self, Result};

/// One published version of an SDK.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) name: String,
    requirements: PathBuf,
}

/// Below it, one file of requirements for each version.
const REQUIREMENTS: &str = "tests/sdk/requirements";

/// Every version that the suites are run with.
pub(crate) fn versions() -> Result<Vec<Version>> {
    let mut versions = Vec::new();
    for entry in fs::read_dir(sh::root().join(REQUIREMENTS))? {
        let requirements = entry?.path();
        if let Some(name) = requirements.file_stem() {
            let name = name.to_string_lossy().into_owned();
            versions.push(Version { name, requirements });
        }
    }
    versions.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(versions)
}

/// The newest of them.
pub(crate) fn newest() -> Result<Option<Version>> {
    let numbers = |version: &Version| {
        let (_, numbers) = version.name.rsplit_once('-')?;
        let numbers = numbers.split('.').map(|number| number.parse::<u32>().ok());
        numbers.collect::<Option<Vec<_>>>()
    };
    Ok(versions()?.into_iter().max_by_key(numbers))
}

impl Version {
    /// The environment that has this version.
    pub(crate) fn environment(&self) -> Environment {
        Environment {
            name: self.name.clone(),
            requirements: self.requirements.clone(),
            oldest: (3, 11),
            is_built: false,
            proof: "from daytona import Daytona",
            has_pip: false,
        }
    }

    /// A Python that has this version.
    pub(crate) fn python(&self) -> Result<PathBuf> {
        self.environment().prepare()
    }

    /// The program that runs the suites; `plotting` is the Python that the daemon of this checkout runs code with.
    pub(crate) fn suites(&self, plotting: &Path, judged: &Judged) -> Result<Command> {
        let mut suites = sh::command(self.python()?);
        suites.args(["-B", "tests/sdk/run.py"]);
        judged.equip(&mut suites, plotting)?;
        Ok(suites)
    }
}
