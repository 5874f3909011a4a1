//! Running a command as another user.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use thiserror::Error;

use crate::shell::Shell;

/// The reason why a command cannot run as a user.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UserError {
    /// `/etc/passwd` has no such user.
    #[error("there is no user '{name}'")]
    Unknown {
        /// The name of the user.
        name: String,
    },
    /// This process does not run as root.
    #[error("only root can run a command as '{name}'")]
    NotAllowed {
        /// The name of the user.
        name: String,
    },
    /// The session is isolated: none of its processes can change its user.
    #[error("a command of an isolated session cannot run as '{name}'")]
    Isolated {
        /// The name of the user.
        name: String,
    },
    /// No program that changes the user is installed.
    #[error("a command as another user needs setpriv (of util-linux) or busybox")]
    NoProgram,
    /// `/etc/passwd` cannot be read.
    #[error("cannot read the users of this machine")]
    Users(#[from] io::Error),
}

/// A change to another user.
#[derive(Debug)]
pub(super) struct Switch {
    /// The user's id.
    pub(super) id: u32,
    /// The words that start a shell of the user; `-c` and a text follow.
    pub(super) words: Vec<String>,
    pub(super) env: Vec<(String, String)>,
}

impl Switch {
    /// Returns the change to `user`, or `None` if this process already runs as that user.
    ///
    /// Does not use an ordinary `su`: that opens a PAM session, which resets the limits, among them the label by which
    /// the command's processes are found.
    pub(super) fn to(user: &str, shell: &Shell) -> Result<Option<Self>, UserError> {
        let name = || user.to_owned();
        let users = std::fs::read_to_string("/etc/passwd")?;
        let entry = User::find(&users, user).ok_or_else(|| UserError::Unknown { name: name() })?;
        let own = rustix::process::geteuid();
        if own.as_raw() == entry.id {
            return Ok(None);
        }
        if !own.is_root() {
            return Err(UserError::NotAllowed { name: name() });
        }
        let path = shell.path().to_string_lossy().into_owned();
        let words = if let Some(setpriv) = first_of(&["/usr/bin/setpriv", "/bin/setpriv"], is_whole)
        {
            let mut words = vec![
                setpriv.to_owned(),
                format!("--reuid={}", entry.id),
                format!("--regid={}", entry.group),
                "--init-groups".to_owned(),
                path.clone(),
            ];
            if shell.first_argument() != shell.path().as_os_str() {
                words.push(shell.first_argument().to_string_lossy().into_owned());
            }
            words
        } else if let Some(su) = first_of(&["/bin/su", "/usr/bin/su"], is_busybox) {
            vec![su.to_owned(), "-s".to_owned(), "/bin/sh".to_owned(), name()]
        } else {
            return Err(UserError::NoProgram);
        };
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Ok(Some(Self {
            id: entry.id,
            words,
            env: vec![
                variable("HOME", entry.home),
                variable("SHELL", &path),
                variable("USER", user),
                variable("LOGNAME", user),
            ],
        }))
    }
}

/// The fields of a line `name:password:id:group:text:home:shell`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User<'a> {
    pub(crate) id: u32,
    pub(crate) group: u32,
    pub(crate) home: &'a str,
}

impl<'a> User<'a> {
    pub(crate) fn find(users: &'a str, name: &str) -> Option<Self> {
        users.lines().find_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            let [found, _, id, group, _, home, ..] = *fields else {
                return None;
            };
            // A name that looks like an option could not be distinguished from one.
            (found == name && !name.starts_with('-')).then_some(())?;
            Some(Self {
                id: id.parse().ok()?,
                group: group.parse().ok()?,
                home,
            })
        })
    }
}

fn first_of(places: &[&'static str], suits: fn(&Path) -> bool) -> Option<&'static str> {
    places.iter().copied().find(|place| suits(Path::new(place)))
}

fn is_busybox(program: &Path) -> bool {
    let real = std::fs::canonicalize(program);
    real.is_ok_and(|path| {
        path.file_name()
            .is_some_and(|name| name.as_bytes().starts_with(b"busybox"))
    })
}

/// Returns whether `program` is complete: the one of Busybox changes capabilities alone.
fn is_whole(program: &Path) -> bool {
    program.exists() && !is_busybox(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\nshort:x:5:5\n-c:x:1:1::/:\nnobody:x:65534:65535::/:/bin/false\n";
        let nobody = User {
            id: 65534,
            group: 65535,
            home: "/",
        };
        assert_eq!(User::find(users, "nobody"), Some(nobody));
        for missing in ["", "no", "nobody:x", "x", "-c", "root\n", "short"] {
            assert_eq!(User::find(users, missing), None, "{missing:?}");
        }
    }
}
