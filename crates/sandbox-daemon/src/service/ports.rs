//! The TCP ports in use.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use sandbox_wire::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Error;
use crate::limits::PORT_CONNECT;
use crate::link::Link;

/// Returns the ports that are shown to clients and that have a listener, in order.
pub(crate) async fn listed() -> Result<Vec<u16>, Error> {
    let ports = listening().await?;
    Ok(ports.range(PORTS).copied().collect())
}

/// Returns whether a port has a listener.
///
/// # Errors
///
/// Returns 400 for a port that is not shown to clients.
pub(crate) async fn is_in_use(port: Option<u16>) -> Result<bool, Error> {
    let port = port.filter(|port| PORTS.contains(port)).ok_or_else(|| {
        let (first, last) = (PORTS.start(), PORTS.end());
        Error::bad(format!("a port is a number from {first} to {last}"))
    })?;
    Ok(listening().await?.contains(&port))
}

/// Returns the TCP ports with a listener in this network namespace, in order.
async fn listening() -> Result<BTreeSet<u16>, Error> {
    let read = || {
        // A kernel without IPv6 has only the first of them.
        let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
        let tables = tables.map(|table| std::fs::read_to_string(table).unwrap_or_default());
        tables.iter().flat_map(|table| ports(table)).collect()
    };
    tokio::task::spawn_blocking(read)
        .await
        .map_err(Error::internal)
}

/// Connects to a port of the loopback address; servers for development listen on either version of IP.
///
/// # Errors
///
/// Returns 503 if nothing accepts the connection in time.
pub(crate) async fn connect(port: u16) -> Result<TcpStream, Error> {
    let connect = async {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            Ok(stream) => Ok(stream),
            // The first error is the reason; a kernel without IPv6 has only the first address.
            Err(error) => match TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await {
                Ok(stream) => Ok(stream),
                Err(_) => Err(error),
            },
        }
    };
    let message = match timeout(PORT_CONNECT, connect).await {
        Ok(Ok(stream)) => {
            // Small pieces are not delayed; an error would only be that they are.
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
        Ok(Err(error)) => format!("no connection to port {port}: {error}"),
        Err(_) => format!("port {port} did not accept a connection in time"),
    };
    Err(Error::new(ErrorCode::ServiceUnavailable, message))
}

/// Passes bytes in both directions until both have ended, or the daemon shuts down.
pub(crate) async fn tunnel(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut port: TcpStream,
    mut link: Link,
) {
    let copied = copy_bidirectional(&mut client, &mut port);
    tokio::select! {
        copied = copied => {
            if let Err(error) = copied {
                tracing::debug!(%error, "a tunnel ended early");
            }
        }
        () = link.shutdown_begun() => {}
    }
}

/// Returns the listening ports of a table, whose lines are `0: 0100007F:1F90 00000000:0000 0A ...`.
fn ports(table: &str) -> impl Iterator<Item = u16> {
    table.lines().skip(1).filter_map(|line| {
        // The fields are `sl`, `local_address`, `rem_address` and `st` (proc_net_tcp in the
        // kernel's documentation).
        let mut fields = line.split_ascii_whitespace();
        let (_, port) = fields.nth(1)?.rsplit_once(':')?;
        let state = fields.nth(1)?;
        (state == LISTEN)
            .then(|| u16::from_str_radix(port, 16).ok())
            .flatten()
    })
}

const LISTEN: &str = "0A";

/// The ports that the protocol covers.
const PORTS: std::ops::RangeInclusive<u16> = 3000..=9999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
            \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000\n\
            \x20  1: 0100007F:0BB8 0100007F:9C40 01 00000000:00000000 00:00000000\n\
            \x20  2: 00000000000000000000000001000000:0BB9 00000000000000000000000000000000:0000 0A 0\n\
            nonsense\n";
        assert_eq!(ports(table).collect::<Vec<_>>(), [8080, 3001]);
    }
}
