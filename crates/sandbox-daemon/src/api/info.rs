//! What the daemon tells of itself.

use http::StatusCode;
use sandbox_wire::rest::{Health, Version};

use super::{Answer, Call, json};

/// `GET /healthz`: answered as long as requests are taken.
pub(super) fn healthz(_: Call) -> Answer {
    Box::pin(async {
        json(
            StatusCode::OK,
            &Health {
                status: "ok".to_owned(),
            },
        )
    })
}

/// `GET /version`.
pub(super) fn version(_: Call) -> Answer {
    let version = concat!("v", env!("CARGO_PKG_VERSION")).to_owned();
    Box::pin(async { json(StatusCode::OK, &Version { version }) })
}
