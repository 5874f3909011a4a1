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

/// An error that makes a token unusable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The token is empty, or only white space.
    #[error("the access token is empty")]
    Empty,
    /// The token is not printable ASCII, so no header could contain it.
    #[error("the access token has characters that a header cannot carry")]
    Characters,
    /// The file cannot be read.
    #[error("cannot read the token file {}", path.display())]
    File {
        /// The file that cannot be read.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
}

impl Token {
    /// Creates a token from `text`, without leading and trailing white space.
    ///
    /// # Errors
    ///
    /// Returns [`TokenError::Empty`] or [`TokenError::Characters`] if `text` cannot be a token.
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
    /// Returns a [`TokenError`] if the file cannot be read, or its content cannot be a token.
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        let text = std::fs::read_to_string(path).map_err(|source| TokenError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::new(&text)
    }

    /// Returns whether users other than the owner of a token's file may read it.
    ///
    /// Results in a warning and not in an error: orchestrators mount secrets with mode 0644 in a directory
    /// that only the container sees.
    #[cfg(feature = "cli")]
    pub(crate) fn is_shared(path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|metadata| {
            metadata.file_type().is_file() && metadata.permissions().mode() & 0o077 != 0
        })
    }

    /// Returns the token itself, to be sent to a server.
    pub fn into_string(self) -> String {
        self.0.into()
    }

    /// Compares in constant time: the duration does not depend on where the two differ.
    pub fn matches(&self, presented: &str) -> bool {
        // Texts of different lengths differ immediately, which shows the length alone.
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
