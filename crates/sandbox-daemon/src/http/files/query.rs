//! Parameters in queries.

use std::path::PathBuf;

use crate::http::{ApiError, Call};
use crate::service::Error;
use crate::service::files::names;

/// Returns the path in the query parameter of this name.
pub(super) fn path_of(call: &Call, name: &str) -> Result<PathBuf, ApiError> {
    let path = call.query_bytes(name).filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| Error::bad(format!("the query has no {name}")))?;
    Ok(names::to_path(&path))
}

/// Returns the mode in the query, which is octal.
pub(super) fn mode_of(call: &Call) -> Result<Option<u32>, ApiError> {
    let Some(mode) = call.query("mode").filter(|mode| !mode.is_empty()) else {
        return Ok(None);
    };
    octal(&mode).map(Some).map_err(ApiError::from)
}

/// Parses the octal text of a mode.
pub(super) fn octal(mode: &str) -> Result<u32, Error> {
    let digits = mode.strip_prefix("0o").unwrap_or(mode);
    // `from_str_radix` accepts a plus sign.
    let is_octal = digits.bytes().all(|digit| digit.is_ascii_digit());
    let parsed = is_octal.then(|| u32::from_str_radix(digits, 8).ok());
    let parsed = parsed.flatten().filter(|mode| *mode <= 0o7777);
    parsed.ok_or_else(|| Error::bad(format!("mode is octal, at most 7777, not '{mode}'")))
}
