//! The packages of the workspace, as `cargo metadata` reports them.

use std::path::Path;

use serde_json::Value;

use crate::sh::{self, Result};

#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The folder, from the root.
    pub(crate) folder: String,
    /// What it depends on in its own code and in its build script; not what its tests need.
    pub(crate) dependencies: Vec<String>,
    pub(crate) has_build_script: bool,
}

impl Package {
    /// Every member of the workspace.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let text = sh::output(&mut sh::cargo([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
        ]))?;
        let metadata: Value = serde_json::from_str(&text)?;
        let packages = metadata["packages"].as_array();
        let packages = packages.into_iter().flatten().map(Self::read);
        packages
            .collect::<Option<_>>()
            .ok_or_else(|| "cannot read what `cargo metadata` tells".into())
    }

    fn read(package: &Value) -> Option<Self> {
        let folder = Path::new(package["manifest_path"].as_str()?).parent()?;
        let of_tests = |dependency: &&Value| dependency["kind"] == "dev";
        let dependencies = package["dependencies"].as_array()?.iter();
        let dependencies = dependencies.filter(|dependency| !of_tests(dependency));
        let is_build_script = |target: &Value| target["kind"][0] == "custom-build";
        Some(Self {
            name: package["name"].as_str()?.to_owned(),
            folder: folder.strip_prefix(sh::root()).ok()?.to_str()?.to_owned(),
            dependencies: dependencies
                .map(|dependency| dependency["name"].as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
            has_build_script: package["targets"].as_array()?.iter().any(is_build_script),
        })
    }

    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }

    /// Whether it is one of the crates that make up the house, not one of its tools.
    pub(crate) fn is_crate(&self) -> bool {
        self.folder.starts_with("crates/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_read() {
        let packages = Package::all().unwrap();
        let find = |name| {
            packages
                .iter()
                .find(|package| package.name == name)
                .unwrap()
        };
        let wire = find("sandbox-wire");
        assert_eq!(wire.manifest(), "crates/sandbox-wire/Cargo.toml");
        assert!(wire.is_crate() && wire.dependencies.contains(&"serde".to_owned()));
        assert!(!find("xtask").is_crate());
    }
}
