//! The common properties of a spare and the program that takes it.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::environment::Environment;
use crate::offload::file_calls;
use crate::spawner::{ChildFd, ProcessGroup, SpawnLimits, SpawnSpec, is_enterable};
use crate::warm::world::{Place, Version, World, versions};

/// All properties with which a process of Node.js is started, except the program and its arguments. If two are equal, so are
/// the processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    program: PathBuf,
    executable: Version,
    world: World,
    options: Vec<OsString>,
    env: Environment,
    cwd: PathBuf,
    place: Place,
    /// The `package.json` of the directory and of those above, by which Node.js determines at its start what the program is, and
    /// which it caches.
    packages: Vec<Option<Version>>,
    is_split: bool,
}

impl Key {
    /// Returns the key of a program; `None` if no spare can run it, it cannot be started at all, or a file system does not
    /// respond.
    pub(super) async fn of(spec: &SpawnSpec) -> Option<Self> {
        use ChildFd::{Given, Null, Output, SameAs};
        let is_split = match spec.fds.as_slice() {
            [Null, Output, Output, Given(_)] => true,
            [Null, Output, SameAs(1), Given(_)] => false,
            _ => return None,
        };
        let is_served = !spec.env.iter().any(|(name, _)| is_strange(name.as_bytes()))
            && spec.group == ProcessGroup::Own
            // It was not started in the control group of the run.
            && spec.limits.is_empty()
            && spec.argv.len() >= ARGUMENTS;
        if !is_served {
            return None;
        }
        let options = spec.argv[..ARGUMENTS].to_vec();
        let (program, env, cwd) = (&spec.program, &spec.env, &spec.cwd);
        Self::read(program, options, env, cwd, is_split).await
    }

    /// Returns the key of a process like this one that would be started now.
    pub(super) async fn reread(&self) -> Option<Self> {
        let options = self.options.clone();
        Self::read(&self.program, options, &self.env, &self.cwd, self.is_split).await
    }

    async fn read(
        program: &Path,
        options: Vec<OsString>,
        env: &Environment,
        cwd: &Path,
        is_split: bool,
    ) -> Option<Self> {
        let (program, env, cwd) = (program.to_owned(), env.clone(), cwd.to_owned());
        let sought = (program.clone(), env.clone(), cwd.clone());
        let found = file_calls(move || {
            let (program, env, cwd) = sought;
            let executable = Version::of(&program).ok()?;
            is_enterable(&cwd).ok()?;
            let place = Place::of(&cwd).ok()?;
            let packages = packages(place.path());
            Some((executable, place, packages, versions(&env, &cwd)))
        });
        let (executable, place, packages, files) = found.await.ok()??;
        Some(Self {
            program,
            executable,
            world: World::now(files),
            options,
            env,
            cwd,
            place,
            packages,
            is_split,
        })
    }

    /// Returns the description of a process that reads its program from `line`.
    pub(super) fn spec(&self, line: OwnedFd) -> SpawnSpec {
        SpawnSpec {
            program: self.program.clone(),
            argv: self.options.clone(),
            env: self.env.clone(),
            cwd: self.cwd.clone(),
            fds: vec![
                ChildFd::Null,
                ChildFd::Output,
                if self.is_split {
                    ChildFd::Output
                } else {
                    ChildFd::SameAs(1)
                },
                ChildFd::Given(Arc::new(line)),
            ],
            group: ProcessGroup::Own,
            limits: SpawnLimits::default(),
        }
    }
}

fn packages(directory: &Path) -> Vec<Option<Version>> {
    let version = |directory: &Path| Version::of(&directory.join("package.json")).ok();
    directory.ancestors().map(version).collect()
}

/// Returns whether a variable makes Node.js do or read something before its program begins.
fn is_strange(name: &[u8]) -> bool {
    let is_plain = || PLAIN.contains(&name);
    (name.starts_with(b"NODE_") && !is_plain()) || name.starts_with(b"OPENSSL_")
}

/// The index of the program's own arguments: after the executable, `--require`, `boot.cjs` and its placeholder.
pub(super) const ARGUMENTS: usize = 4;

/// Variables of Node.js's, or of its container images, that are only read by the program or for it.
const PLAIN: &[&[u8]] = &[
    b"NODE_DISABLE_COLORS",
    b"NODE_ENV",
    b"NODE_EXTRA_CA_CERTS",
    b"NODE_NO_WARNINGS",
    b"NODE_PATH",
    b"NODE_VERSION",
];
