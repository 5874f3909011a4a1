//! The way out of a network of its own, from the engine's side: which program it is, and what programs inside know of it.

use std::fs::File;
use std::path::PathBuf;

use super::description::{Isolation, Network};
use super::installed::installed;
use super::{IsolationError, Step};
use crate::offload::file_calls;

/// Returns the program by which the network of a description is connected, if it has one.
///
/// # Errors
///
/// Returns [`IsolationError::Missing`] if the program is not installed.
pub(super) async fn of(isolation: &Isolation) -> Result<Option<PathBuf>, IsolationError> {
    if isolation.network() != Network::User {
        return Ok(None);
    }
    installed(PROGRAM).await.map(Some)
}

/// Returns whether this machine has what [`Network::User`] needs. The network itself is not tried.
///
/// # Errors
///
/// Returns [`IsolationError::Missing`] if slirp4netns is not installed, and the step that would fail without its device.
///
/// # Cancel safety
///
/// Cancel safe.
pub async fn check_way_out() -> Result<(), IsolationError> {
    installed(PROGRAM).await?;
    let device = file_calls(|| File::options().read(true).write(true).open(DEVICE)).await;
    let opened = device.and_then(|device| device.map(drop));
    opened.map_err(|source| IsolationError::Step {
        step: Step::WayOut,
        path: Some(DEVICE.into()),
        source,
    })
}

/// The device that the program needs.
pub(super) const DEVICE: &str = "/dev/net/tun";

/// Returns the file that says where names are resolved in a network with a way out, with the other lines of the machine's.
pub(super) fn resolver(machine: &str) -> String {
    let others = machine.lines().filter(|line| {
        let word = line.split_whitespace().next();
        matches!(word, Some("search" | "domain" | "options"))
    });
    let others: String = others.flat_map(|line| [line, "\n"]).collect();
    format!("nameserver {RESOLVER}\n{others}")
}

/// The address at which names are resolved, by the resolver of the machine.
const RESOLVER: &str = "10.0.2.3";

const PROGRAM: &str = "slirp4netns";

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
}
