//! Selection of the shell that evaluates commands.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// The shell that evaluates command texts, resolved once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    path: PathBuf,
}

/// The preferred shells, as in the reference: the first of these that `/etc/shells` lists.
const PREFERRED: [&str; 4] = ["/usr/bin/zsh", "/bin/zsh", "/usr/bin/bash", "/bin/bash"];

impl Shell {
    /// Creates a shell from the path of its executable.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Finds the shell of this machine: zsh or bash where `/etc/shells` lists one that can be executed, else
    /// `$SHELL`, else `sh` on the `PATH`, else `/bin/sh`.
    pub fn of_this_machine(environment: &Environment) -> Self {
        let listed = std::fs::read("/etc/shells").unwrap_or_default();
        Self::choose(&listed, environment, is_executable)
    }

    /// Returns the path of the executable.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the shell's `argv[0]`, by which busybox selects its program.
    pub(crate) fn first_argument(&self) -> &OsStr {
        match self.path.file_name() {
            Some(name) if name.as_bytes().starts_with(b"busybox") => OsStr::new("ash"),
            _ => self.path.as_os_str(),
        }
    }

    pub(crate) fn choose(
        listed: &[u8],
        environment: &Environment,
        is_executable: impl Fn(&Path) -> bool,
    ) -> Self {
        let lists = |shell: &str| {
            listed
                .split(|byte| *byte == b'\n')
                .any(|line| line.trim_ascii() == shell.as_bytes())
        };
        let preferred = PREFERRED
            .into_iter()
            .filter(|shell| lists(shell))
            .map(PathBuf::from);
        let login = environment
            .get("SHELL")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        let on_path = || search_path(OsStr::new("sh"), environment, &is_executable);
        preferred
            .chain(login)
            .find(|path| is_executable(path))
            .or_else(on_path)
            .map_or_else(|| Self::at("/bin/sh"), Self::at)
    }
}

/// Returns the first executable `program` on the `PATH` of `environment`.
pub(crate) fn search_path(
    program: &OsStr,
    environment: &Environment,
    is_executable: impl Fn(&Path) -> bool,
) -> Option<PathBuf> {
    let path = environment.get("PATH")?;
    path.as_bytes()
        .split(|byte| *byte == b':')
        // A relative entry would depend on a directory that changes.
        .filter(|dir| dir.starts_with(b"/"))
        .map(|dir| Path::new(OsStr::from_bytes(dir)).join(program))
        .find(|path| is_executable(path))
}

pub(crate) fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listed: &str, env: &[(&str, &str)], present: &[&str], expect: &str) {
        let mut environment = Environment::empty();
        for (name, value) in env {
            environment.set(name, value);
        }
        let exists = |path: &Path| present.iter().any(|name| path == Path::new(name));
        let shell = Shell::choose(listed.as_bytes(), &environment, exists);
        assert_eq!(shell.path(), Path::new(expect));
    }

    #[test]
    fn follows_the_order_and_skips_what_is_not_there() {
        let listed = "# shells\n/bin/sh\n/bin/bash\n/usr/bin/bash\n/usr/bin/zsh\n";
        check(listed, &[], &["/usr/bin/zsh", "/bin/bash"], "/usr/bin/zsh");
        check(listed, &[], &["/bin/bash"], "/bin/bash");
        check(
            "#/bin/bash\n",
            &[("SHELL", "/bin/dash")],
            &["/bin/bash", "/bin/dash"],
            "/bin/dash",
        );
        check("", &[("PATH", "/a:/b")], &["/b/sh"], "/b/sh");
        check("", &[("SHELL", "/gone")], &[], "/bin/sh");
    }
}
