//! The common properties of the programs of one fork server.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::world::{World, versions};
use crate::environment::Environment;
use crate::offload::file_calls;
use crate::spawner::{ChildFd, ProcessGroup, SpawnSpec};

/// The common properties of a server and the programs that it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) program: PathBuf,
    pub(super) env: Environment,
    pub(super) cwd: PathBuf,
    pub(super) world: World,
}

impl Key {
    /// Returns the key of a program; `None` if no server can start it, or a file system does not respond.
    pub(super) async fn of(spec: &SpawnSpec) -> Option<Self> {
        use ChildFd::{Given, Null, Output, SameAs};
        let has_usual_fds = matches!(
            spec.fds.as_slice(),
            [Null, Output, Output | SameAs(1), Output, Given(_)]
        );
        let has_strange_variable = spec.env.iter().any(|(name, _)| is_strange(name.as_bytes()));
        let is_served = has_usual_fds
            && !has_strange_variable
            && spec.group == ProcessGroup::Own
            // It is not started in the control group of its run.
            && spec.limits.is_empty()
            && spec.argv.len() > ARGUMENTS;
        if !is_served {
            return None;
        }
        let (env, cwd) = (spec.env.clone(), spec.cwd.clone());
        let files = file_calls(move || versions(&env, &cwd)).await.ok()?;
        Some(Self {
            program: spec.program.clone(),
            env: spec.env.clone(),
            cwd: spec.cwd.clone(),
            world: World::now(files),
        })
    }
}

/// Returns whether a variable of Python's does more at the start than set a flag.
pub(crate) fn is_strange(name: &[u8]) -> bool {
    name.starts_with(b"PYTHON") && !PLAIN.contains(&name)
}

/// The index of the program's own arguments, its file first: after the executable, `-u`, `-c` and the stub.
pub(super) const ARGUMENTS: usize = 4;

/// Variables of Python's, or of its container images, under which a forked program behaves as a started one does.
const PLAIN: &[&[u8]] = &[
    b"PYTHONDONTWRITEBYTECODE",
    b"PYTHONHASHSEED",
    b"PYTHONIOENCODING",
    b"PYTHONNOUSERSITE",
    b"PYTHONUNBUFFERED",
    b"PYTHONUTF8",
    b"PYTHON_GET_PIP_SHA256",
    b"PYTHON_GET_PIP_URL",
    b"PYTHON_PIP_VERSION",
    b"PYTHON_SETUPTOOLS_VERSION",
    b"PYTHON_SHA256",
    b"PYTHON_VERSION",
];
