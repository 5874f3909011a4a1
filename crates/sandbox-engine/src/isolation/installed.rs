//! Programs of the machine that isolation needs.

use std::env;
use std::path::PathBuf;

use super::IsolationError;
use crate::offload::file_calls;
use crate::shell::is_executable;

/// Returns the path of a program of the machine.
///
/// # Errors
///
/// Returns [`IsolationError::Missing`] if it is not installed.
pub(super) async fn installed(program: &'static str) -> Result<PathBuf, IsolationError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = file_calls(move || find(program, env::split_paths(&path))).await;
    let found = found.map_err(IsolationError::of_launcher)?;
    found.ok_or(IsolationError::Missing { program })
}

fn find(program: &str, directories: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let own = directories.filter(|directory| directory.is_absolute());
    let usual = ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from);
    let mut programs = own.chain(usual).map(|directory| directory.join(program));
    programs.find(|program| is_executable(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "slirp4netns";

    #[test]
    fn a_program_is_found_in_directories_that_have_it() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join(PROGRAM);
        let directories = || [PathBuf::from("relative"), directory.path().into()].into_iter();
        std::fs::write(&own, "").unwrap();
        // It cannot be executed.
        assert_ne!(find(PROGRAM, directories()), Some(own.clone()));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&own, mode).unwrap();
        assert_eq!(find(PROGRAM, directories()), Some(own));
    }
}
