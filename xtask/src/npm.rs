//! Packages of npm below `target/node`, in exact versions: installed one time, and again when these change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::python;
use crate::sh::{self, Result};

/// Something that is installed from npm.
#[derive(Debug)]
pub(crate) struct Package {
    /// The name of the first package that the manifest asks for, and its version.
    pub(crate) title: String,
    /// A manifest, and the exact versions of all that comes with it.
    folder: PathBuf,
}

impl Package {
    /// Reads a folder below the root.
    pub(crate) fn read(folder: PathBuf) -> Result<Self> {
        let manifest = folder.join(MANIFEST);
        let title = title(&fs::read_to_string(&manifest)?);
        let title = title.ok_or_else(|| format!("{} names no package", manifest.display()))?;
        Ok(Self { title, folder })
    }

    /// Installs the package unless it stands, and gives back where.
    pub(crate) fn prepare(&self) -> Result<PathBuf> {
        self.prepare_below(&sh::target().join("node"))
    }

    fn prepare_below(&self, parent: &Path) -> Result<PathBuf> {
        need_node()?;
        let wanted = fs::read_to_string(self.folder.join(LOCK))?;
        let name = self.folder.file_name().unwrap_or_default();
        let home = parent.join(name);
        fs::create_dir_all(&home)?;
        let mut lock = home.clone().into_os_string();
        lock.push(".lock");
        let _lock = python::lock(lock.as_ref())?;
        if fs::read_to_string(home.join(STAMP)).is_ok_and(|stamp| stamp == wanted) {
            return Ok(home);
        }
        for file in [MANIFEST, LOCK] {
            fs::copy(self.folder.join(file), home.join(file))?;
        }
        let mut npm = plain("npm");
        npm.current_dir(&home);
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        npm.arg("--loglevel=error");
        let what = format!("installing {}", self.title);
        sh::timed(&what, || sh::follow(&mut npm, sh::complain))?;
        // Last: an installation without its stamp was interrupted, and is made again.
        fs::write(home.join(STAMP), wanted)?;
        Ok(home)
    }
}

/// Name and version of the first package that a manifest asks for.
fn title(manifest: &str) -> Option<String> {
    let manifest: Value = serde_json::from_str(manifest).ok()?;
    let (name, version) = manifest["dependencies"].as_object()?.iter().next()?;
    Some(format!("{name} {}", version.as_str()?))
}

/// Fails unless Node.js is installed, and new enough.
fn need_node() -> Result<()> {
    let wanted = format!("what comes from npm needs Node.js {OLDEST} or newer, with npm");
    for program in ["node", "npm"] {
        let version = sh::output(plain(program).arg("--version"))
            .map_err(|error| format!("{error}; {wanted}"))?;
        if program == "node" && major(&version).is_none_or(|major| major < OLDEST) {
            return Err(format!("`node` is {}; {wanted}", version.trim()).into());
        }
    }
    Ok(())
}

fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// A program of Node.js that looks only at its own modules.
pub(crate) fn plain(program: &str) -> Command {
    let mut command = sh::command(program);
    command.env_remove("NODE_OPTIONS").env_remove("NODE_PATH");
    command
}

/// The oldest Node.js that the packages run on.
const OLDEST: u32 = 20;

const MANIFEST: &str = "package.json";

const LOCK: &str = "package-lock.json";

const STAMP: &str = "made-from.json";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::typescript;

    #[test]
    fn manifests_and_versions_are_read() {
        let manifest = r#"{"dependencies": {"@a/sdk": "1.2.3"}}"#;
        assert_eq!(title(manifest).as_deref(), Some("@a/sdk 1.2.3"));
        assert_eq!(title("{}"), None);
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("no such command"), None);
    }

    #[test]
    fn packages_are_exact_and_name_no_registry() {
        let mut packages = typescript::sdks().unwrap();
        let programs = sh::root().join("tests/programs/node");
        packages.extend(typescript::packages(&programs).unwrap());
        assert_eq!(packages.len(), 4, "{packages:?}");
        packages.push(crate::web::package().unwrap());
        for package in packages {
            let version = package.title.split(' ').next_back().unwrap();
            assert!(
                version.starts_with(|first: char| first.is_ascii_digit()),
                "{}",
                package.title
            );
            let lock = fs::read_to_string(package.folder.join(LOCK)).unwrap();
            assert!(lock.contains("\"integrity\"") && !lock.contains("\"resolved\""));
        }
    }

    #[test]
    fn what_was_interrupted_or_made_from_something_else_is_made_again() {
        let parent = sh::target().join("xtask-tests");
        let folder = parent.join("empty-package");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(MANIFEST), "{}").unwrap();
        let lock = r#"{"lockfileVersion": 3, "packages": {"": {}}}"#;
        fs::write(folder.join(LOCK), lock).unwrap();
        let package = Package {
            title: "nothing".to_owned(),
            folder,
        };
        let parent = parent.join("node");
        drop(fs::remove_dir_all(&parent));
        let home = parent.join("empty-package");
        let left_over = home.join("node_modules/left-over");
        // As an interrupted installation, and one of another version, leave it.
        for stamp in [None, Some("{}")] {
            fs::create_dir_all(&left_over).unwrap();
            drop(fs::remove_file(home.join(STAMP)));
            if let Some(stamp) = stamp {
                fs::write(home.join(STAMP), stamp).unwrap();
            }
            assert_eq!(package.prepare_below(&parent).unwrap(), home);
            assert!(!left_over.exists(), "{stamp:?}");
            assert_eq!(fs::read_to_string(home.join(STAMP)).unwrap(), lock);
        }
        fs::create_dir_all(&left_over).unwrap();
        package.prepare_below(&parent).unwrap();
        assert!(left_over.exists());
    }
}
