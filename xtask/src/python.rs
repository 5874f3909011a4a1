//! Virtual environments below `target/python`, made once and kept until their requirements change.
//!
//! One of them has uv, which installs into all others in a twentieth of the time of pip, and pip for where uv cannot.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sh::{self, Result};

/// A virtual environment that the commands here need.
#[derive(Debug)]
pub(crate) struct Environment {
    /// Its folder below `target/python`.
    pub(crate) name: String,
    /// A pip requirements file, relative to the root.
    pub(crate) requirements: PathBuf,
    /// The oldest Python that the requirements allow.
    pub(crate) oldest: Version,
    /// Whether some of the requirements have no wheel, and are built.
    pub(crate) is_built: bool,
    /// A statement that is run at the end: the installation works, and what is slow only once has been done.
    pub(crate) proof: &'static str,
    /// Whether it has pip.
    pub(crate) has_pip: bool,
}

/// Major and minor.
pub(crate) type Version = (u32, u32);

/// numpy and matplotlib, for programs that draw.
pub(crate) fn plotting() -> Environment {
    Environment {
        name: "plotting".to_owned(),
        requirements: "xtask/assets/plotting.txt".into(),
        oldest: (3, 9),
        is_built: false,
        // What this imports is compiled here; much of what is installed never is.
        proof: "import io, matplotlib.pyplot as p; p.plot([1]); p.savefig(io.BytesIO())",
        has_pip: false,
    }
}

/// What installs into the others.
fn installer() -> Environment {
    Environment {
        name: "installer".to_owned(),
        requirements: "xtask/assets/installer.txt".into(),
        proof: "import pip, uv",
        has_pip: true,
        ..plotting()
    }
}

/// The same with libraries that draw through matplotlib, for the suite of the chart extractor.
pub(crate) fn testing() -> Environment {
    Environment {
        name: "testing".to_owned(),
        requirements: "xtask/assets/testing.txt".into(),
        proof: "import io, seaborn as s; s.lineplot([1]).figure.savefig(io.BytesIO())",
        ..plotting()
    }
}

/// The oldest matplotlib that the extractor knows.
pub(crate) fn oldest() -> Environment {
    Environment {
        name: "oldest".to_owned(),
        requirements: "xtask/assets/oldest.txt".into(),
        is_built: true,
        ..plotting()
    }
}

impl Environment {
    /// Whether [`Environment::prepare`] has nothing to do.
    pub(crate) fn is_ready(&self) -> bool {
        let requirements = fs::read_to_string(sh::root().join(&self.requirements));
        let home = sh::target().join("python").join(&self.name);
        requirements.is_ok_and(|requirements| stands(&home, &requirements))
    }

    /// Whether there is a Python that is new enough.
    pub(crate) fn is_possible(&self) -> bool {
        let is_enough = |name: &PathBuf| probe(name).is_ok_and(|(_, found)| found >= self.oldest);
        self.is_ready() || candidates().iter().any(is_enough)
    }

    /// Makes the environment unless it stands, and gives back its interpreter.
    pub(crate) fn prepare(&self) -> Result<PathBuf> {
        self.prepare_below(&sh::target().join("python"))
    }

    fn prepare_below(&self, parent: &Path) -> Result<PathBuf> {
        let requirements = fs::read_to_string(sh::root().join(&self.requirements))?;
        let home = parent.join(&self.name);
        let python = home.join("bin/python");
        if stands(&home, &requirements) {
            return Ok(python);
        }
        fs::create_dir_all(parent)?;
        let _lock = lock(&parent.join(format!("{}.lock", self.name)))?;
        // Another xtask may just have made it.
        if stands(&home, &requirements) {
            return Ok(python);
        }
        self.create(&home)?;
        self.install(&python)?;
        // Last: an environment without its stamp was interrupted, and is made again.
        fs::write(home.join(STAMP), requirements)?;
        Ok(python)
    }

    fn install(&self, python: &Path) -> Result<()> {
        let requirements = sh::from_root(&self.requirements).display();
        let what = format!("installing {requirements}");
        sh::timed(&what, || {
            if self.has_pip {
                return self.install_by(pip(python), &[]);
            }
            let installer = installer().prepare()?;
            let target = [OsStr::new("--python"), python.as_os_str()];
            self.install_by(uv(&installer), &target).or_else(|error| {
                // It does not read the files in which pip finds mirrors.
                sh::say(&format!("uv cannot ({error}), but perhaps pip can:"));
                let mut pip = pip(&installer);
                pip.args(target);
                self.install_by(pip, &["--prefer-binary".as_ref()])
            })
        })?;

        let mut first_use = isolated(python);
        first_use.args(["-c", self.proof]);
        let what = format!("`{}` for the first time", self.proof);
        sh::timed(&what, || sh::follow(&mut first_use, sh::complain))
    }

    /// Installs the requirements by uv or pip.
    fn install_by(&self, mut tool: Command, options: &[&OsStr]) -> Result<()> {
        tool.arg("install").args(options);
        if !self.is_built {
            tool.args(["--only-binary", ":all:"]);
        } else {
            tool.env(
                "MPLSETUPCFG",
                sh::root().join("xtask/assets/matplotlib.cfg"),
            );
            // Twice as fast to compile; how fast it draws does not matter here.
            tool.env("CFLAGS", "-O0 -g0").env("CXXFLAGS", "-O0 -g0");
        }
        if !std::io::stdout().is_terminal() {
            tool.arg("--quiet");
        }
        sh::follow(
            tool.arg("--requirement").arg(&self.requirements),
            sh::complain,
        )
    }

    /// Makes an empty environment with the first Python that can.
    fn create(&self, home: &Path) -> Result<()> {
        let mut tried = Vec::new();
        if candidates()
            .iter()
            .any(|name| self.try_candidate(name, home, &mut tried))
        {
            return Ok(());
        }
        let (major, minor) = self.oldest;
        let message = format!("found no Python {major}.{minor} or newer that has venv and pip:");
        let help = "help: sudo apt-get install python3 python3-venv".to_owned();
        Err([&[message], &*tried, &[help]].concat().join("\n").into())
    }

    /// Whether `name` made the environment; if not, `tried` says why.
    fn try_candidate(&self, name: &Path, home: &Path, tried: &mut Vec<String>) -> bool {
        let result = probe(name).and_then(|(program, version)| {
            if version < self.oldest {
                return Err(format!("is {}.{}, too old", version.0, version.1).into());
            }
            let what = format!(
                "making {} with {}",
                sh::from_root(home).display(),
                program.display()
            );
            sh::timed(&what, || {
                if home.exists() {
                    fs::remove_dir_all(home)?;
                }
                let mut venv = isolated(&program);
                venv.args(["-m", "venv"]);
                if !self.has_pip {
                    venv.arg("--without-pip");
                }
                sh::output(venv.arg(home))?;
                // One that cannot be used is no reason to give up: another Python may make a better one.
                let check = if self.has_pip { "import pip" } else { "" };
                sh::output(isolated(&home.join("bin/python")).args(["-c", check]))
            })
        });
        match result {
            Ok(_) => true,
            Err(error) => {
                // The end of a traceback says most.
                let error = error.to_string();
                tried.push(format!(
                    "  {}: {}",
                    name.display(),
                    error.lines().last().unwrap_or_default()
                ));
                false
            }
        }
    }
}

/// Whether the environment was made to its end, from these requirements, by a Python that is still there.
fn stands(home: &Path, requirements: &str) -> bool {
    let stamp = fs::read_to_string(home.join(STAMP));
    stamp.is_ok_and(|stamp| stamp == requirements) && home.join("bin/python").exists()
}

/// Waits until no other xtask is at it.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = File::create(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            sh::timed("waiting for another xtask", || Ok(file.lock()?))?;
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    Ok(file)
}

/// The real interpreter of a name, which may be a slow shim, and its version.
fn probe(name: &Path) -> Result<(PathBuf, Version)> {
    let code = "import sys, venv, ensurepip; print(*sys.version_info[:2], sys.executable)";
    let text = sh::output(isolated(name).args(["-c", code]))?;
    parse_probe(&text).ok_or_else(|| format!("answers {text:?}").into())
}

fn parse_probe(text: &str) -> Option<(PathBuf, Version)> {
    let mut words = text.trim_end().splitn(3, ' ');
    let version = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let program = words.next().filter(|path| !path.is_empty())?;
    Some((program.into(), version))
}

/// The Pythons that an environment may be made with, in order: those on the `PATH`, and those of pyenv, which has the others there.
fn candidates() -> Vec<PathBuf> {
    let mut candidates: Vec<_> = CANDIDATES.iter().map(PathBuf::from).collect();
    let of_home = || std::env::home_dir().map(|home| home.join(".pyenv"));
    let pyenv = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(of_home);
    let versions = pyenv.and_then(|pyenv| fs::read_dir(pyenv.join("versions")).ok());
    let versions = versions.into_iter().flatten().flatten();
    let mut others: Vec<_> = versions
        .map(|version| version.path().join("bin/python3"))
        .collect();
    others.sort();
    candidates.extend(others);
    candidates
}

/// The pip of an environment.
fn pip(python: &Path) -> Command {
    let mut pip = isolated(python);
    pip.args(["-m", "pip"]);
    pip.env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_NO_INPUT", "1");
    pip
}

/// The uv of an environment, with its cache beside that.
fn uv(python: &Path) -> Command {
    let mut uv = isolated(python);
    uv.args(["-m", "uv", "pip"]);
    uv.env("UV_CACHE_DIR", sh::target().join("python/cache"));
    if let Some(mirror) = std::env::var_os("PIP_INDEX_URL") {
        uv.env("UV_DEFAULT_INDEX", mirror);
    }
    uv
}

/// A Python that looks only at its own modules.
fn isolated(python: &Path) -> Command {
    let mut command = sh::command(python);
    command.env_remove("PYTHONHOME").env_remove("PYTHONPATH");
    command
}

const STAMP: &str = "made-from.txt";

const SYSTEM_PYTHON: &str = "/usr/bin/python3";

const CANDIDATES: [&str; 8] = [
    "python3",
    SYSTEM_PYTHON,
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.9",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_read() {
        let read = |text| parse_probe(text);
        let expect = Some((PathBuf::from("/a b/python3"), (3, 11)));
        assert_eq!(read("3 11 /a b/python3\n"), expect);
        assert_eq!(read("3 11 \n"), None);
        assert_eq!(read("pyenv: no such command"), None);
    }

    #[test]
    fn what_was_interrupted_or_made_from_something_else_is_made_again() {
        let parent = sh::target().join("xtask-tests");
        let environment = Environment {
            name: "empty".to_owned(),
            requirements: "xtask/assets/empty.txt".into(),
            oldest: (3, 9),
            is_built: false,
            proof: "import sys",
            has_pip: false,
        };
        let home = parent.join("empty");
        // As an interrupted installation leaves it.
        drop(fs::remove_file(home.join(STAMP)));
        fs::create_dir_all(&home).unwrap();
        let half_made = home.join("half-made");
        fs::write(&half_made, "").unwrap();

        let python = environment.prepare_below(&parent).unwrap();
        assert!(python.exists() && !half_made.exists());
        let requirements = fs::read_to_string(home.join(STAMP)).unwrap();
        assert!(stands(&home, &requirements) && !stands(&home, "numpy\n"));
    }
}
