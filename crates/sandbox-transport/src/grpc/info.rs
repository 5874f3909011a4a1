//! Information about the daemon.

use sandbox_wire::pb;

use super::call::{self, Call};
use super::{GrpcTransport, convert, resources};
use crate::{Capabilities, Delivery, Effect, Error, ErrorKind};

pub(super) async fn info(transport: &GrpcTransport) -> Result<pb::GetInfoResponse, Error> {
    // Without the support, which the daemon takes tens of milliseconds to find out.
    ask_for(transport, pb::GetInfoRequest { support: false }).await
}

async fn ask_for(
    transport: &GrpcTransport,
    request: pb::GetInfoRequest,
) -> Result<pb::GetInfoResponse, Error> {
    let ask = |wire, request| async move { call::info(wire).get_info(request).await };
    transport.ask(Call::new(Effect::None), request, ask).await
}

/// Returns the capabilities: every daemon with these services has the extensions of the HTTP protocol.
pub(super) async fn capabilities(transport: &GrpcTransport) -> Result<Capabilities, Error> {
    let ask = || async {
        let info = ask_for(transport, pb::GetInfoRequest { support: true }).await?;
        Ok(Capabilities {
            isolation: info.isolation.map(convert::isolation_support),
            limits: { info.limit_support.into_iter() }
                .filter_map(resources::limit_support)
                .collect(),
            extensions: true,
            ..Capabilities::new(info.version)
        })
    };
    let known = transport.inner.capabilities.get_or_try_init(ask);
    known.await.cloned()
}

pub(super) async fn ports(transport: &GrpcTransport) -> Result<Vec<u16>, Error> {
    let ask = |wire, request| async move { call::info(wire).list_ports(request).await };
    let request = pb::ListPortsRequest {};
    let received = transport.ask(Call::new(Effect::None), request, ask).await?;
    let ports = received.ports.into_iter().map(u16::try_from);
    ports.collect::<Result<_, _>>().map_err(|error| {
        let message = "the daemon lists a port that is none";
        Error::new(ErrorKind::Protocol, Delivery::Uncertain, message).with_source(error)
    })
}

pub(super) async fn port_in_use(transport: &GrpcTransport, port: u16) -> Result<bool, Error> {
    let ask = |wire, request| async move { call::info(wire).get_port(request).await };
    let request = pb::GetPortRequest { port: port.into() };
    let received = transport.ask(Call::new(Effect::None), request, ask).await?;
    Ok(received.in_use)
}
