//! What network sandboxes have.

use std::env;
use std::path::{Path, PathBuf};

use sandbox_daemon::doors::chain;
use sandbox_engine::isolation::{RESOLVER, probe_way_out};

use super::blocking::blocking;
use crate::error::Error;

/// The network of sandboxes that are not without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LocalNetwork {
    /// A network of its own, with a way out through the program slirp4netns: to other machines, and to addresses of this machine
    /// that are not those of its loopback interface.
    User,
    /// The network of the machine: services on its loopback interface, too, and ports that are the machine's.
    Host,
    /// A loopback interface of its own and nothing else.
    None,
}

/// How the network is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outside {
    /// By this program.
    User(PathBuf),
    Host,
    None,
}

impl Outside {
    /// Returns what `wanted` is here, and what people should know about it.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unsupported`] if a way out is wanted that cannot be had.
    pub(super) async fn find(
        wanted: Option<LocalNetwork>,
    ) -> Result<(Self, Option<String>), Error> {
        match wanted {
            Some(LocalNetwork::None) => Ok((Self::None, None)),
            Some(LocalNetwork::Host) => Ok((Self::Host, Some(HOST.to_owned()))),
            Some(LocalNetwork::User) => {
                let program = way_out().await.map_err(Error::unsupported)?;
                Ok((Self::User(program), None))
            }
            None => Ok(match way_out().await {
                Ok(program) => (Self::User(program), None),
                Err(why) => (Self::None, Some(format!("{NONE}: {why}{CHOICE}"))),
            }),
        }
    }
}

/// Returns the program of the way out, if it works.
async fn way_out() -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = blocking(move || Ok(find(env::split_paths(&path)))).await;
    let program = found.ok().flatten().ok_or(MISSING)?;
    let probed = probe_way_out(program.clone()).await;
    probed.map_err(|error| format!("{PROGRAM} fails: {}", chain(&error)))?;
    Ok(program)
}

fn find(directories: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let own = directories.filter(|directory| directory.is_absolute());
    let usual = ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from);
    let mut programs = own.chain(usual).map(|directory| directory.join(PROGRAM));
    programs.find(|program| is_executable(program))
}

fn is_executable(program: &Path) -> bool {
    program.is_file() && rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Returns the file that says where names are resolved in a network with a way out, with the other lines of the machine's.
pub(super) fn resolver(machine: &str) -> String {
    let others = machine.lines().filter(|line| {
        let word = line.split_whitespace().next();
        matches!(word, Some("search" | "domain" | "options"))
    });
    let others: String = others.flat_map(|line| [line, "\n"]).collect();
    format!("nameserver {RESOLVER}\n{others}")
}

const PROGRAM: &str = "slirp4netns";

const MISSING: &str =
    "the program slirp4netns is not installed; help: install the package slirp4netns";

const NONE: &str = "sandboxes have no network but a loopback interface";

const CHOICE: &str = ", or choose the machine's network, with all services that listen on its loopback interface (`sandbox up --network host`)";

const HOST: &str = "sandboxes have the network of this machine: they reach what listens on its loopback interface, and their ports are the machine's";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_resolved_by_the_way_out() {
        let machine = "# x\nnameserver 127.0.0.53\nsearch a b\noptions edns0\n";
        let expect = "nameserver 10.0.2.3\nsearch a b\noptions edns0\n";
        assert_eq!(resolver(machine), expect);
        assert_eq!(resolver(""), "nameserver 10.0.2.3\n");
    }

    #[test]
    fn a_program_is_found_in_directories_that_have_it() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join(PROGRAM);
        let directories = || [PathBuf::from("relative"), directory.path().into()].into_iter();
        std::fs::write(&own, "").unwrap();
        // It cannot be executed.
        assert_ne!(find(directories()), Some(own.clone()));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&own, mode).unwrap();
        assert_eq!(find(directories()), Some(own));
    }

    #[tokio::test]
    async fn what_is_asked_for_is_not_lowered() {
        let (none, warning) = Outside::find(Some(LocalNetwork::None)).await.unwrap();
        assert_eq!((none, warning), (Outside::None, None));
        let (host, warning) = Outside::find(Some(LocalNetwork::Host)).await.unwrap();
        assert_eq!(host, Outside::Host);
        assert!(warning.unwrap().contains("loopback"));
        let by_default = Outside::find(None).await.unwrap();
        match (Outside::find(Some(LocalNetwork::User)).await, by_default) {
            (Ok(user), by_default) => assert_eq!(user, by_default),
            (Err(Error::Unsupported { what }), (Outside::None, Some(warning))) => {
                assert!(warning.contains(&what), "{warning}: {what}");
            }
            other => panic!("{other:?}"),
        }
    }
}
