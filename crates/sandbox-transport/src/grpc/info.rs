//! Information about the daemon.

use sandbox_wire::pb;

use super::call::{self, Call};
use super::{GrpcTransport, convert};
use crate::{Capabilities, Effect, Error};

pub(super) async fn info(transport: &GrpcTransport) -> Result<pb::GetInfoResponse, Error> {
    let ask = |wire, request| async move { call::info(wire).get_info(request).await };
    let request = pb::GetInfoRequest {};
    transport.ask(Call::new(Effect::None), request, ask).await
}

/// Returns the capabilities: every daemon with these services has the extensions of the HTTP protocol.
pub(super) async fn capabilities(transport: &GrpcTransport) -> Result<Capabilities, Error> {
    let ask = || async {
        let info = info(transport).await?;
        Ok(Capabilities {
            isolation: info.isolation.map(convert::isolation_support),
            ..Capabilities::new(info.version, true)
        })
    };
    let known = transport.inner.capabilities.get_or_try_init(ask);
    known.await.cloned()
}
