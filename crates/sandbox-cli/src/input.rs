//! Texts from files and from standard input.

use std::io::Read;
use std::path::Path;

use crate::error::CliError;

/// The path that stands for standard input.
pub(crate) const STDIN: &str = "-";

/// The text of a file, or of standard input.
pub(crate) fn read(path: &Path) -> Result<String, CliError> {
    let bytes = if path == Path::new(STDIN) {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|source| CliError::Read {
        path: path.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|_| CliError::NotText {
        path: path.to_owned(),
    })
}
