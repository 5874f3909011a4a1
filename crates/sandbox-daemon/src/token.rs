//! The access token.

use std::fmt;
#[cfg(feature = "cli")]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;
use thiserror::Error;

/// A bearer token. `Debug` does not show it.
#[derive(Clone)]
pub struct Token(Box<str>);

/// A token that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Nothing but white space.
    #[error("the access token is empty")]
    Empty,
    /// Not printable ASCII, so no header could carry it.
    #[error("the access token has characters that a header cannot carry")]
    Characters,
    /// The file cannot be read.
    #[error("cannot read the token file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says of it.
        source: std::io::Error,
    },
}

impl Token {
    /// Takes the token from `text`; white space around it does not count.
    ///
    /// # Errors
    ///
    /// [`TokenError::Empty`] and [`TokenError::Characters`].
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        Ok(Self(text.into()))
    }

    /// Reads the token from a file.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        let text = std::fs::read_to_string(path).map_err(|source| TokenError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::new(&text)
    }

    /// Returns whether users other than the owner of a token's file may read it.
    ///
    /// A warning and no error: orchestrators mount secrets with mode 0644 in a directory that only
    /// the container sees.
    #[cfg(feature = "cli")]
    pub(crate) fn is_shared(path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|metadata| {
            metadata.file_type().is_file() && metadata.permissions().mode() & 0o077 != 0
        })
    }

    /// The token itself, to be presented.
    pub fn into_string(self) -> String {
        self.0.into()
    }

    /// Compares in a time that does not depend on where the two differ.
    pub(crate) fn matches(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_checked_and_hidden() {
        let token = Token::new(" secret\n").unwrap();
        assert!(token.matches("secret") && !token.matches("secret2") && !token.matches(""));
        assert_eq!(format!("{token:?}"), "Token(..)");
        assert!(matches!(Token::new(" \n"), Err(TokenError::Empty)));
        assert!(matches!(Token::new("a b"), Err(TokenError::Characters)));
        assert!(matches!(
            Token::from_file(Path::new("/no/file")),
            Err(TokenError::File { .. })
        ));
    }
}
