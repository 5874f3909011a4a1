//! Where a control plane is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sandbox_transport::{Delivery, Error, ErrorKind};

use crate::client::invalid;

/// The URL and the key of a control plane.
///
/// `sandbox up` leaves its own in a file of its state directory, which only its user can read.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ControlAddress {
    /// The URL of the API, which ends in `/api`.
    pub url: String,
    /// The key that every request bears.
    pub key: String,
    /// The organization that the key is for, which Daytona's cloud requires with tokens of people.
    pub organization: Option<String>,
}

impl ControlAddress {
    /// Creates an address.
    pub fn new(url: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            key: key.into(),
            organization: None,
        }
    }

    /// Returns the address that the environment names, as
    /// [`Sandboxes::from_env`](crate::Sandboxes::from_env) describes it.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Connect`](ErrorKind::Connect) if the environment names none, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) if it names a part of one.
    pub fn from_env() -> Result<Self, Error> {
        let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::from_variables(get, Self::state_dir().as_deref())
    }

    fn from_variables(
        get: impl Fn(&str) -> Option<String>,
        state_dir: Option<&Path>,
    ) -> Result<Self, Error> {
        let (url, key) = (get("DAYTONA_API_URL"), get("DAYTONA_API_KEY"));
        if let (Some(url), Some(key)) = (&url, key) {
            let organization = get("DAYTONA_ORGANIZATION_ID");
            return Ok(Self {
                organization,
                ..Self::new(url, key)
            });
        }
        let left = state_dir.map(Self::in_state_dir).transpose()?.flatten();
        match (url, left) {
            (None, Some(left)) => Ok(left),
            (Some(url), Some(left)) if left.url == url => Ok(left),
            (Some(_), _) => Err(invalid(
                "DAYTONA_API_URL is set, and DAYTONA_API_KEY is not",
            )),
            (None, None) => {
                let message = "no control plane runs here, and DAYTONA_API_URL is not set";
                Err(Error::new(ErrorKind::Connect, Delivery::NotSent, message))
            }
        }
    }

    /// Returns the address that `sandbox up` left in a state directory, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Local`](ErrorKind::Local) if the file cannot be read.
    pub fn in_state_dir(state_dir: &Path) -> Result<Option<Self>, Error> {
        let path = Self::file(state_dir);
        let failed = || {
            let message = format!("cannot read {}", path.display());
            Error::new(ErrorKind::Local, Delivery::NotSent, message)
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => match Self::parse(&text) {
                Some(address) => Ok(Some(address)),
                None => Err(failed().with_source("it has no URL and key of a control plane")),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed().with_source(error)),
        }
    }

    /// Returns the file of a state directory that has the address.
    pub fn file(state_dir: &Path) -> PathBuf {
        state_dir.join("control.env")
    }

    /// Returns the directory in which `sandbox up` has its state by default: `$SANDBOX_STATE_DIR`, else `sandbox` in
    /// `$XDG_STATE_HOME` or `~/.local/state`; `None` if none of them is known.
    pub fn state_dir() -> Option<PathBuf> {
        state_dir(|name| std::env::var_os(name).map(PathBuf::from))
    }

    /// Returns the variables that the official SDKs read, one a line, as a file of them has them.
    pub fn to_env(&self) -> String {
        let Self { url, key, .. } = self;
        format!("{URL}{url}\n{KEY}{key}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |name| text.lines().find_map(|line| line.strip_prefix(name));
        match (value(URL)?, value(KEY)?) {
            ("", _) | (_, "") => None,
            (url, key) => Some(Self::new(url, key)),
        }
    }
}

fn state_dir(get: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let get = |name| get(name).filter(|path| path.is_absolute());
    get("SANDBOX_STATE_DIR")
        .or_else(|| Some(get("XDG_STATE_HOME")?.join("sandbox")))
        .or_else(|| Some(get("HOME")?.join(".local/state/sandbox")))
}

const URL: &str = "DAYTONA_API_URL=";
const KEY: &str = "DAYTONA_API_KEY=";

impl fmt::Debug for ControlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlAddress")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_comes_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let read = |variables: &[(&str, &str)]| {
            let get = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            ControlAddress::from_variables(get, Some(dir.path()))
        };
        let kind = |variables: &[(&str, &str)]| read(variables).unwrap_err().kind();
        assert_eq!(kind(&[]), ErrorKind::Connect);
        assert_eq!(kind(&[("DAYTONA_API_KEY", "k")]), ErrorKind::Connect);
        assert_eq!(
            kind(&[("DAYTONA_API_URL", "http://a/api")]),
            ErrorKind::InvalidInput
        );

        let left = ControlAddress::new("http://b/api", "left");
        std::fs::write(ControlAddress::file(dir.path()), left.to_env()).unwrap();
        assert_eq!(read(&[]).unwrap(), left);
        // A key alone is that of Daytona's cloud.
        assert_eq!(read(&[("DAYTONA_API_KEY", "k")]).unwrap(), left);
        assert_eq!(read(&[("DAYTONA_API_URL", "http://b/api")]).unwrap(), left);
        assert_eq!(
            kind(&[("DAYTONA_API_URL", "http://a/api")]),
            ErrorKind::InvalidInput
        );
        let all = [
            ("DAYTONA_API_URL", "http://a/api"),
            ("DAYTONA_API_KEY", "k"),
            ("DAYTONA_ORGANIZATION_ID", "o"),
        ];
        let both = read(&all).unwrap();
        assert_eq!((&*both.url, &*both.key), ("http://a/api", "k"));
        assert_eq!(both.organization.as_deref(), Some("o"));
        assert!(!format!("{left:?}").contains("left"));

        for bad in [
            "",
            "DAYTONA_API_URL=x\n",
            "DAYTONA_API_URL=\nDAYTONA_API_KEY=k\n",
        ] {
            std::fs::write(ControlAddress::file(dir.path()), bad).unwrap();
            assert_eq!(kind(&[]), ErrorKind::Local, "{bad}");
        }
    }

    #[test]
    fn the_state_directory_is_absolute() {
        let of = |variables: &[(&str, &str)]| {
            state_dir(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| PathBuf::from(value))
            })
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("HOME", "")]), None);
        let home = ("HOME", "/h");
        assert_eq!(of(&[home]), Some("/h/.local/state/sandbox".into()));
        let state = ("XDG_STATE_HOME", "/s");
        assert_eq!(of(&[home, state]), Some("/s/sandbox".into()));
        let own = ("SANDBOX_STATE_DIR", "/o");
        assert_eq!(of(&[home, state, own]), Some("/o".into()));
        let relative = ("SANDBOX_STATE_DIR", "o");
        assert_eq!(of(&[state, relative]), Some("/s/sandbox".into()));
    }
}
