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
