//! The levels and networks of isolation as options of command lines, and as settings in files.

use clap::ValueEnum;
use sandbox_engine::isolation::{Level, Network};
use serde::Deserialize;

/// The level of an isolation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LevelArg {
    /// Namespaces and a filter of system calls
    #[default]
    Namespaces,
    /// The same by the program bubblewrap, where only that may make namespaces
    Bwrap,
    /// Landlock and a filter of system calls, where there are no namespaces
    Landlock,
}

/// The network of what is isolated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkArg {
    /// A loopback interface of its own
    #[default]
    None,
    /// A network of its own with a way to other machines, by the program slirp4netns
    User,
    /// The network of the machine
    Host,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Namespaces => Self::Namespaces,
            LevelArg::Bwrap => Self::Bwrap,
            LevelArg::Landlock => Self::Landlock,
        }
    }
}

impl From<NetworkArg> for Network {
    fn from(network: NetworkArg) -> Self {
        match network {
            NetworkArg::None => Self::None,
            NetworkArg::User => Self::User,
            NetworkArg::Host => Self::Host,
        }
    }
}
