//! TCP connections.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::Purpose;
use crate::limits::{KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES};

/// Connects to a host, by the first of its addresses that accepts.
///
/// Each address gets its share of the remaining time, so that an unresponsive one leaves some for the others.
pub(super) async fn connect(
    host: &str,
    port: u16,
    purpose: Purpose,
    limit: Duration,
) -> io::Result<TcpStream> {
    let begin = Instant::now();
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for (index, address) in addresses.iter().enumerate() {
        let others = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = limit.saturating_sub(begin.elapsed()) / others;
        last = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                prepare(&stream, purpose)?;
                return Ok(stream);
            }
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
    }
    Err(last)
}

/// Sets a connection up so that the kernel detects when the peer has disappeared: by probes while nothing is sent, and
/// if requests are sent, by a bound on the time until what was sent is acknowledged.
///
/// A WebSocket has no such bound, since a daemon may leave input unread for as long as its program does; it uses pings.
fn prepare(stream: &TcpStream, purpose: Purpose) -> io::Result<()> {
    // What is typed must not wait until what was typed before is acknowledged.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    if purpose != Purpose::Sockets {
        socket.set_tcp_user_timeout(Some(crate::limits::UNACKNOWLEDGED))?;
    }
    #[cfg(not(target_os = "linux"))]
    // Other systems have no `TCP_USER_TIMEOUT`.
    let _ = purpose;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::limits::UNACKNOWLEDGED;

    #[tokio::test]
    async fn the_kernel_notices_a_lost_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for purpose in [Purpose::Requests, Purpose::Sockets] {
            let limit = Duration::from_secs(10);
            let stream = connect("localhost", port, purpose, limit).await.unwrap();
            let socket = SockRef::from(&stream);
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_RETRIES);
            let bound = (purpose == Purpose::Requests).then_some(UNACKNOWLEDGED);
            assert_eq!(socket.tcp_user_timeout().unwrap(), bound);
        }
        let longest = KEEPALIVE_IDLE + KEEPALIVE_INTERVAL * KEEPALIVE_RETRIES;
        assert!(longest.max(UNACKNOWLEDGED) <= Duration::from_secs(30));
    }
}
