//! The URL of a Unix socket, `unix:PATH`, in daemons and clients.

use std::path::Path;

/// Returns the URL of the socket at `path`; [`path`] is the inverse.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// assert_eq!(sandbox_wire::unix::url(Path::new("/run/x")), "unix:/run/x");
/// ```
#[must_use]
pub fn url(path: &Path) -> String {
    // Two slashes after the colon are not part of the path, so a path that begins with two is written after two.
    let is_ambiguous = path.as_os_str().as_encoded_bytes().starts_with(b"//");
    let slashes = if is_ambiguous { "//" } else { "" };
    format!("unix:{slashes}{}", path.display())
}

/// Returns the path in a URL of a Unix socket, `unix:PATH` or `unix://PATH`, which may be empty; `None` for any other text.
///
/// # Examples
///
/// ```
/// use sandbox_wire::unix::path;
///
/// assert_eq!(path("unix:/run/x"), Some("/run/x"));
/// assert_eq!(path("unix:///run/x"), Some("/run/x"));
/// assert_eq!(path("http://host"), None);
/// ```
#[must_use]
pub fn path(url: &str) -> Option<&str> {
    let path = url.strip_prefix("unix:")?;
    Some(path.strip_prefix("//").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_they_were_written() {
        for text in ["/run/x", "x", "//run/x", "///x", "//"] {
            let written = url(Path::new(text));
            assert_eq!(path(&written), Some(text), "{written}");
        }
    }
}
