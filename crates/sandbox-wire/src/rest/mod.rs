//! Bodies of the HTTP routes.

mod code;
mod error;
mod exec;
mod info;

pub use code::{Artifacts, CodeRunRequest, CodeRunResponse};
pub use error::{ErrorEnvelope, SOURCE_DAEMON};
pub use exec::{ExecuteRequest, ExecuteResponse, OutputTruncation, Termination, TerminationKind};
pub use info::{Health, Version};
