//! `GET /port`, `GET /port/{port}/in-use` and `GET /port/{port}/connect`.

use http::{HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sandbox_wire::rest::{PortInUse, PortList};

use super::response::{empty, json};
use super::{Call, Responded};
use crate::service::{Error, ports};

pub(super) async fn list(_: Call) -> Responded {
    let ports = ports::listed().await?;
    Ok(json(StatusCode::OK, &PortList { ports })?)
}

pub(super) async fn in_use(call: Call) -> Responded {
    let port = call.parameter("port").parse().ok();
    let is_in_use = ports::is_in_use(port).await?;
    Ok(json(StatusCode::OK, &PortInUse { is_in_use })?)
}

pub(super) async fn connect(mut call: Call) -> Responded {
    let port = call.parameter("port").parse().ok();
    let port: u16 = port.filter(|port| *port > 0).ok_or_else(|| {
        let message = "a port is a number from 1 to 65535";
        Error::bad(message)
    })?;
    let asked = call.parts.headers.get(header::UPGRADE);
    let is_tunnel = asked.is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(TUNNEL));
    // hyper adds this to requests that can be upgraded; those of HTTP/2 cannot.
    let upgraded = call.parts.extensions.remove::<OnUpgrade>();
    let Some(upgraded) = upgraded.filter(|_| is_tunnel) else {
        let message = "a connection to a port needs HTTP/1.1 and the headers Connection: Upgrade and Upgrade: tcp";
        return Err(Error::bad(message).into());
    };
    let stream = ports::connect(port).await?;
    // The tunnel outlives the request, and holds the connection's slot.
    let link = call.link.clone();
    // The upgrade completes only after this function's response has been written.
    tokio::spawn(async move {
        // An error means that the connection ended before the response was written.
        if let Ok(client) = upgraded.await {
            ports::tunnel(TokioIo::new(client), stream, link).await;
        }
    });
    let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("tcp"));
    Ok(response)
}

/// The protocol that a connection is upgraded to.
const TUNNEL: &[u8] = b"tcp";
