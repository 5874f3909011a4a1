//! One operation on each of several paths or sandboxes.

use std::path::Path;

use sandbox_process::Delivery;

use crate::error::CliError;
use crate::exit::Exit;

/// Performs `operation` on each path or name, as `rm` and `cat` do: an error that is about one of them is reported, and the others
/// follow. Returns those without an error, and the exit code.
///
/// # Errors
///
/// An error that is not about one of them, such as a daemon that cannot be reached, ends this.
pub(super) async fn each<T: AsRef<Path>>(
    paths: &[T],
    is_json: bool,
    operation: impl AsyncFn(&Path) -> Result<(), CliError>,
) -> Result<(Vec<String>, Exit), CliError> {
    let mut done = Vec::new();
    let mut exit = Exit::SUCCESS;
    for path in paths {
        let path = path.as_ref();
        match operation(path).await {
            Ok(()) => done.push(path.to_string_lossy().into_owned()),
            Err(error) if is_about_one(&error) => exit = error.report(is_json),
            Err(error) => return Err(error),
        }
    }
    Ok((done, exit))
}

/// Returns whether this path or sandbox was refused, so that it is there for the next one.
fn is_about_one(error: &CliError) -> bool {
    match error {
        CliError::IsDirectory { .. } => true,
        CliError::Process(error) | CliError::Control(error) => {
            error.delivery() == Delivery::Rejected && !error.is_unauthorized()
        }
        _ => false,
    }
}
