//! Lookup of language runtimes.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use thiserror::Error;

use crate::environment::Environment;
use crate::isolation::Isolation;
use crate::launch::{LaunchSpec, Launcher};
use crate::limits::RUNTIME_PROBE;
use crate::offload::file_calls;
use crate::run::{OutputMode, RunError, RunOptions};
use crate::shell::{is_executable, search_path};
use crate::spawner::SpawnError;
use crate::sync::lock;
use crate::termination::Termination;
use crate::warm::Version;

/// A description of a runtime to look for.
#[derive(Debug)]
pub(crate) struct Runtime {
    name: &'static str,
    /// The names of the executable, best first.
    names: &'static [&'static str],
    hint: &'static str,
    /// How a shim of the runtime is probed; runtimes without a probe are started directly from the `PATH`.
    probe: Option<Probe>,
}

/// Arguments with which a runtime prints the path of its real executable, a NUL, and its environment in the format of
/// `/proc/self/environ`.
type Probe = [&'static str; 2];

pub(crate) const PYTHON: Runtime = Runtime {
    name: "python3",
    names: &["python3", "python"],
    hint: "install Python 3.7 or newer, for example with `apt-get install python3`",
    probe: Some([
        "-c",
        "import os,sys\n\
         e=b''.join(k+b'='+v+b'\\0' for k,v in os.environb.items())\n\
         sys.stdout.buffer.write(os.fsencode(sys.executable)+b'\\0'+e)",
    ]),
};

pub(crate) const NODE: Runtime = Runtime {
    name: "node",
    names: &["node", "nodejs"],
    hint: "install Node.js 20.6 or newer, for example with `apt-get install nodejs`",
    probe: Some([
        "-e",
        "process.stdout.write(process.execPath + '\\0' \
         + Object.entries(process.env).map(([k, v]) => `${k}=${v}\\0`).join(''))",
    ]),
};

pub(crate) const BASH: Runtime = plain(
    "bash",
    &["bash"],
    "install it, for example with `apt-get install bash`",
);
pub(crate) const RUBY: Runtime = plain(
    "ruby",
    &["ruby"],
    "install it, for example with `apt-get install ruby`",
);
pub(crate) const R: Runtime = plain(
    "Rscript",
    &["Rscript"],
    "install R, for example with `apt-get install r-base-core`",
);
pub(crate) const DENO: Runtime = plain(
    "deno",
    &["deno"],
    "see https://deno.com for its installation",
);
pub(crate) const BUN: Runtime = plain("bun", &["bun"], "see https://bun.sh for its installation");

impl Runtime {
    /// Returns the usual name of the executable.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }
}

const fn plain(name: &'static str, names: &'static [&'static str], hint: &'static str) -> Runtime {
    Runtime {
        name,
        names,
        hint,
        probe: None,
    }
}

/// A runtime that can be started.
#[derive(Debug, Clone)]
pub(crate) struct Executable {
    /// The real executable.
    pub(crate) path: PathBuf,
    /// Variables that a shim on the `PATH` adds to the environment, so that bypassing it changes nothing.
    pub(crate) environment: Environment,
}

/// An error for a runtime that cannot be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// No executable was found.
    #[error("no {runtime} was found on PATH ({path}); {hint}")]
    Missing {
        /// The runtime that was looked for.
        runtime: &'static str,
        /// The search path.
        path: String,
        /// What to install.
        hint: &'static str,
    },
    /// The executable that was found does not work.
    #[error("{} does not run: {reason}", path.display())]
    Broken {
        /// The executable.
        path: PathBuf,
        /// Its output, or how it failed.
        reason: String,
    },
    /// The run of its shim has no outcome.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// The runtimes that were found.
#[derive(Debug)]
pub(crate) struct Runtimes {
    python: Option<PathBuf>,
    /// The shims that were resolved, by path and by what their choice depends on.
    resolved: Mutex<HashMap<ShimKey, Resolved>>,
}

/// The result of resolving a shim.
#[derive(Debug)]
struct Resolved {
    executable: Executable,
    /// The files by which version managers choose, as they were then.
    choice: Vec<Option<Version>>,
}

type ShimKey = (PathBuf, Environment, Option<Isolation>);

impl Runtimes {
    pub(crate) fn new(python: Option<PathBuf>) -> Self {
        Self {
            python,
            resolved: Mutex::default(),
        }
    }

    /// Finds `runtime` as a shell with the environment `env` and this isolation would.
    ///
    /// A version manager puts scripts on the `PATH` that determine at each start which executable is meant (pyenv's
    /// takes 190 ms). Such a shim is run once, isolated as what it is for (it may be the work of an isolated program), and the result is cached until a file changes by which it chooses.
    pub(crate) async fn find(
        &self,
        runtime: &Runtime,
        env: &Environment,
        isolation: Option<&Isolation>,
        launcher: &Launcher,
    ) -> Result<Executable, RuntimeError> {
        let chosen = self.python.clone().filter(|_| runtime.name == PYTHON.name);
        let (names, searched) = (runtime.names, env.clone());
        let sees = launcher.sees(isolation);
        let found = file_calls(move || {
            let is_usable = |path: &Path| is_executable(path) && sees(path);
            let on_path = |name: &&str| search_path(name.as_ref(), &searched, is_usable);
            let path = chosen.or_else(|| names.iter().find_map(on_path))?;
            let is_script = is_script(&path);
            Some((path, is_script))
        });
        let (path, is_script) = held(found).await?.ok_or_else(|| RuntimeError::Missing {
            runtime: runtime.name,
            path: env
                .get("PATH")
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            hint: runtime.hint,
        })?;
        let Some(question) = runtime.probe.filter(|_| is_script) else {
            return Ok(Executable {
                path,
                environment: Environment::empty(),
            });
        };
        let key = (path.clone(), shim_variables(env), isolation.cloned());
        let choice = async |executable: &Executable| {
            let (shim, executable) = (path.clone(), executable.path.clone());
            let (env, work_dir) = (env.clone(), launcher.work_dir().to_owned());
            held(file_calls(move || {
                choice(&shim, &executable, &env, &work_dir)
            }))
            .await
        };
        // Cloned out of the lock, which must not be held during file calls. Two callers may run the
        // shim at the same time; both get the same executable.
        let known = {
            let resolved = lock(&self.resolved);
            let known = resolved.get(&key);
            known.map(|known| (known.executable.clone(), known.choice.clone()))
        };
        if let Some((executable, chosen)) = known
            && choice(&executable).await? == chosen
        {
            return Ok(executable);
        }
        let executable = probe(question, &path, env, isolation, launcher).await?;
        let known = Resolved {
            executable: executable.clone(),
            choice: choice(&executable).await?,
        };
        let mut resolved = lock(&self.resolved);
        resolved.insert(key, known);
        Ok(executable)
    }
}

/// Reports calls that a file system on the `PATH` blocks.
async fn held<T>(calls: impl Future<Output = io::Result<T>>) -> Result<T, RuntimeError> {
    let made = calls.await.map_err(SpawnError::Os);
    made.map_err(|error| RunError::from(error).into())
}

/// Returns whether an executable is a script with an interpreter line.
fn is_script(path: &Path) -> bool {
    let mut start = [0; 2];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && &start == b"#!"
}

/// Returns the variables by which version managers choose.
fn shim_variables(env: &Environment) -> Environment {
    const PREFIXES: [&[u8]; 8] = [
        b"PYENV_", b"NODENV_", b"NVM_", b"VOLTA_", b"ASDF_", b"MISE_", b"RTX_", b"CONDA_",
    ];
    let mut chosen = Environment::empty();
    for (name, value) in env.iter() {
        let bytes = name.as_bytes();
        if bytes == b"PATH" || PREFIXES.iter().any(|prefix| bytes.starts_with(prefix)) {
            chosen.set(name, value);
        }
    }
    chosen
}

/// Returns the current versions of the shim, its executable, and the files by which version managers choose.
fn choice(
    shim: &Path,
    executable: &Path,
    env: &Environment,
    work_dir: &Path,
) -> Vec<Option<Version>> {
    const OF_MANAGERS: [(&str, &str, &str); 4] = [
        ("PYENV_ROOT", ".pyenv", "version"),
        ("NODENV_ROOT", ".nodenv", "version"),
        ("VOLTA_HOME", ".volta", "tools/user/platform.json"),
        ("MISE_CONFIG_DIR", ".config/mise", "config.toml"),
    ];
    const OF_DIRECTORIES: [&str; 6] = [
        ".python-version",
        ".node-version",
        ".nvmrc",
        ".tool-versions",
        "mise.toml",
        ".mise.toml",
    ];
    let home = Path::new(env.get("HOME").unwrap_or_default());
    let mut files = vec![shim.to_owned(), executable.to_owned()];
    for (variable, below_home, file) in OF_MANAGERS {
        let root = env.get(variable).map(PathBuf::from);
        let root = root.unwrap_or_else(|| home.join(below_home));
        files.push(root.join(file));
    }
    for directory in work_dir.ancestors().chain([home]) {
        files.extend(OF_DIRECTORIES.map(|file| directory.join(file)));
    }
    files.iter().map(|path| Version::of(path).ok()).collect()
}

/// Runs the shim once to find the real executable.
async fn probe(
    question: Probe,
    shim: &Path,
    env: &Environment,
    isolation: Option<&Isolation>,
    launcher: &Launcher,
) -> Result<Executable, RuntimeError> {
    let broken = |reason: String| RuntimeError::Broken {
        path: shim.to_owned(),
        reason,
    };
    let program = LaunchSpec {
        path: shim.to_owned(),
        argv: [shim.into()]
            .into_iter()
            .chain(question.map(Into::into))
            .collect(),
        env: env.clone(),
        extra_fds: Vec::new(),
        spawner: None,
        shown: Vec::new(),
    };
    let options = RunOptions {
        timeout: Some(RUNTIME_PROBE),
        // A shim may write notes to stderr.
        output: OutputMode::Split,
        isolation: isolation.cloned(),
        ..RunOptions::default()
    };
    let outcome = launcher.run(program, &options, ()).await?.collect().await;
    let [stdout, stderr] = outcome.output.split.unwrap_or_default();
    if outcome.termination != (Termination::Exited { code: 0 }) {
        let said = String::from_utf8_lossy(&stderr.head).trim().to_owned();
        return Err(broken(format!("{:?}: {said}", outcome.termination)));
    }
    let answer = stdout.head;
    let end = answer.iter().position(|byte| *byte == 0);
    let end = end.ok_or_else(|| broken("it did not report its executable".to_owned()))?;
    let path = PathBuf::from(OsString::from_vec(answer[..end].to_vec()));
    if !is_executable(&path) {
        return Err(broken(format!(
            "it names {} as its executable",
            path.display()
        )));
    }
    let environment = added(&Environment::from_nul_separated(&answer[end + 1..]), env);
    tracing::debug!(shim = %shim.display(), executable = %path.display(), "resolved a shim");
    Ok(Executable { path, environment })
}

/// Returns the variables that `after` has and `before` has not, except those that every shell sets for itself.
fn added(after: &Environment, before: &Environment) -> Environment {
    let mut difference = Environment::empty();
    for (name, value) in after.iter() {
        let of_a_shell = ["_", "SHLVL", "PWD", "OLDPWD"]
            .iter()
            .any(|own| name == *own);
        if !of_a_shell && before.get(name) != Some(value) {
            difference.set(name, value);
        }
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_adds_only_its_own() {
        let before = Environment::from_nul_separated(b"PATH=/a\0HOME=/h\0");
        let after =
            Environment::from_nul_separated(b"PATH=/v/bin:/a\0HOME=/h\0X=1\0SHLVL=2\0_=y\0");
        let expect = Environment::from_nul_separated(b"PATH=/v/bin:/a\0X=1\0");
        assert_eq!(added(&after, &before), expect);
    }
}
