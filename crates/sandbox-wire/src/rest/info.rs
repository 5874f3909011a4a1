//! Routes that tell about the daemon.

use serde::{Deserialize, Serialize};

/// `GET /version`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The daemon's version, `v` in front.
    pub version: String,
}

/// `GET /healthz` (*extension*): answered while the daemon takes requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`, or `draining` once shutdown has begun.
    pub status: String,
}
