//! `GET /port` and `GET /port/{port}/in-use`.

use http::StatusCode;
use sandbox_wire::rest::{PortInUse, PortList};

use super::response::json;
use super::{Call, Responded};
use crate::service::{Error, ports};

pub(super) async fn list(_: Call) -> Responded {
    let ports = ports::listening().await?;
    let ports = ports.range(PORTS).copied().collect();
    Ok(json(StatusCode::OK, &PortList { ports })?)
}

pub(super) async fn in_use(call: Call) -> Responded {
    let port = call.parameter("port").parse().ok();
    let port: u16 = port.filter(|port| PORTS.contains(port)).ok_or_else(|| {
        let (first, last) = (PORTS.start(), PORTS.end());
        Error::bad(format!("a port is a number from {first} to {last}"))
    })?;
    let is_in_use = ports::listening().await?.contains(&port);
    Ok(json(StatusCode::OK, &PortInUse { is_in_use })?)
}

/// The ports that the protocol covers.
const PORTS: std::ops::RangeInclusive<u16> = 3000..=9999;
