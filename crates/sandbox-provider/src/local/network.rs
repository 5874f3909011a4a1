//! What network sandboxes have.

use sandbox_daemon::doors::chain;
use sandbox_engine::SpawnError;
use sandbox_engine::isolation::probe_way_out;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// By a way out.
    User,
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
                way_out().await.map_err(Error::unsupported)?;
                Ok((Self::User, None))
            }
            None => Ok(match way_out().await {
                Ok(()) => (Self::User, None),
                Err(why) => (Self::None, Some(format!("{NONE}: {why}{CHOICE}"))),
            }),
        }
    }
}

/// Returns whether there can be a way out, or the reason why not.
async fn way_out() -> Result<(), String> {
    probe_way_out().await.map_err(|error| {
        let help = match &error {
            SpawnError::Isolation(error) => error.help(),
            _ => None,
        };
        let help = help.map(|help| format!("; help: {help}"));
        format!("{}{}", chain(&error), help.unwrap_or_default())
    })
}

const NONE: &str = "sandboxes have no network but a loopback interface";

const CHOICE: &str = ", or choose the machine's network, with all services that listen on its loopback interface (`sandbox up --network host`)";

const HOST: &str = "sandboxes have the network of this machine: they reach what listens on its loopback interface, and their ports are the machine's";

#[cfg(test)]
mod tests {
    use super::*;

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
