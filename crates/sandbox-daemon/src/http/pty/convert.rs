//! Conversions between the engine's terminals and those of the protocol.

use std::collections::BTreeMap;

use sandbox_engine::{Pty, PtyOptions, PtySize, PtyState, Termination};
use sandbox_wire::rest::{PtyCreateRequest, PtySessionInfo};
use sandbox_wire::ws::PtyCloseReason;

use crate::http::convert::{directory, isolation, level, variables};
use crate::http::peer::Peer;
use crate::http::resources::limits;
use crate::http::termination::exit_code;
use crate::service::Error;
use crate::service::pty::size;

/// Returns the id and the options of a request.
pub(crate) fn create_request(request: PtyCreateRequest) -> Result<(String, PtyOptions), Error> {
    // 0 is sent by clients that do not know the size.
    let or_default = |side: Option<u16>, default| side.filter(|side| *side > 0).unwrap_or(default);
    let default = PtySize::default();
    let options = PtyOptions {
        cwd: directory(request.cwd),
        env: variables(request.envs),
        size: size(
            or_default(request.cols, default.cols()),
            or_default(request.rows, default.rows()),
        )?,
        isolation: isolation(request.isolation)?,
        is_lazy: request.lazy_start == Some(true),
        limits: limits(request.limits),
    };
    Ok((request.id, options))
}

pub(super) fn info(pty: &Pty, peer: &Peer) -> PtySessionInfo {
    let size = pty.size();
    let state = pty.state();
    PtySessionInfo {
        id: pty.id().to_owned(),
        cwd: pty.cwd().to_string_lossy().into_owned(),
        envs: pty.env().iter().cloned().collect::<BTreeMap<_, _>>(),
        cols: size.cols(),
        rows: size.rows(),
        created_at: humantime::format_rfc3339_nanos(pty.created_at()).to_string(),
        active: state == PtyState::Running,
        lazy_start: state == PtyState::Waiting,
        isolation_level: peer.takes_extensions().then(|| level(pty.level())),
    }
}

/// Returns how a shell ended, in the words that the clients know.
pub(super) fn close_reason(ended: &Termination) -> PtyCloseReason {
    PtyCloseReason::new(exit_code(ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read() {
        let read = |json: &str| create_request(serde_json::from_str(json).unwrap());
        let (id, options) = read(r#"{"id":"a"}"#).unwrap();
        assert_eq!((id.as_str(), options.size), ("a", PtySize::default()));
        assert!(options.cwd.is_none() && !options.is_lazy);
        let nulls =
            r#"{"id":null,"cwd":null,"envs":null,"cols":null,"rows":null,"lazyStart":null}"#;
        let (id, options) = read(nulls).unwrap();
        assert_eq!((id.as_str(), options.size), ("", PtySize::default()));
        let all = r#"{"id":"a","cwd":"x","envs":{"A":"b"},"cols":0,"rows":43,"lazyStart":true}"#;
        let (_, options) = read(all).unwrap();
        assert_eq!((options.size.cols(), options.size.rows()), (80, 43));
        assert!(options.is_lazy && options.cwd == Some("x".into()));
        assert!(read(r#"{"id":"a","cols":1001}"#).is_err());
    }
}
