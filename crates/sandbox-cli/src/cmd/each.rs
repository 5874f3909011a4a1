//! One operation on each of several paths.

use std::path::{Path, PathBuf};

use sandbox_process::Delivery;

use crate::error::CliError;
use crate::exit::Exit;

/// Performs `operation` on each path, as `rm` and `cat` do: an error that is about one path is reported, and the others follow.
/// Returns the paths without an error, and the exit code.
///
/// # Errors
///
/// An error that is not about a path, such as a daemon that cannot be reached, ends this.
pub(super) async fn each(
    paths: &[PathBuf],
    is_json: bool,
    operation: impl AsyncFn(&Path) -> Result<(), CliError>,
) -> Result<(Vec<String>, Exit), CliError> {
    let mut done = Vec::new();
    let mut exit = Exit::SUCCESS;
    for path in paths {
        match operation(path).await {
            Ok(()) => done.push(path.to_string_lossy().into_owned()),
            Err(error) if is_about_a_path(&error) => exit = error.report(is_json),
            Err(error) => return Err(error),
        }
    }
    Ok((done, exit))
}

/// Returns whether a daemon has refused this path, so that it is there for the next one.
fn is_about_a_path(error: &CliError) -> bool {
    match error {
        CliError::IsDirectory { .. } => true,
        CliError::Process(error) => {
            error.delivery() == Delivery::Rejected && !error.is_unauthorized()
        }
        _ => false,
    }
}
