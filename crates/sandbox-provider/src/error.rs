//! Why a provider did not do what was asked.

use crate::sandbox::State;

/// Why a provider did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no sandbox with this id.
    #[error("there is no sandbox {id}")]
    NotFound {
        /// What was asked for.
        id: String,
    },

    /// Another sandbox has this name.
    #[error("another sandbox is named {name}")]
    NameTaken {
        /// The name.
        name: String,
    },

    /// The sandbox is in a state in which this cannot be done.
    #[error("the sandbox is {state}")]
    WrongState {
        /// Its state.
        state: State,
    },

    /// The provider cannot do what the description asks for.
    #[error("{what}")]
    Unsupported {
        /// What it cannot do, and what helps.
        what: String,
    },

    /// A value of the description is not valid.
    #[error("{what}")]
    Invalid {
        /// Which value, and what it must be.
        what: String,
    },

    /// A limit of the provider is reached: the number of sandboxes, or the space on the disk.
    #[error("{what}")]
    Exhausted {
        /// What is exhausted, and what helps.
        what: String,
    },

    /// The provider failed.
    #[error("{what}")]
    Failed {
        /// What was being done.
        what: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

#[cfg(feature = "local")]
impl Error {
    pub(crate) fn failed(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Failed {
            what: what.into(),
            source: source.into(),
        }
    }

    /// Returns the error for a failure of the file system.
    pub(crate) fn of_files(what: impl Into<String>, error: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded => Self::full(),
            _ => Self::failed(what, error),
        }
    }

    /// Returns the error for a disk without space.
    pub(crate) fn full() -> Self {
        Self::Exhausted {
            what: "the disk is full; help: delete sandboxes or files".to_owned(),
        }
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }
}
