//! A port of the sandbox, forwarded to the client's machine.

use russh::server::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelOpenFailure};
use sandbox_daemon::doors::Stall;
use sandbox_provider::Provider;
use tokio::io::copy_bidirectional;

use super::handler::Place;
use crate::limits::SSH_FORWARD_STALL;
use crate::preview;

/// Connects a channel to a port on the sandbox's loopback interface, and passes bytes until both directions have ended.
pub(super) async fn serve<P: Provider>(
    place: Place<P>,
    port: u16,
    channel: Channel<Msg>,
    handle: ChannelOpenHandle,
) {
    let connect = async {
        let using = place.shared.enter(&place.id)?;
        let far = preview::connect(&place.shared, &place.id, port).await?;
        Ok::<_, crate::error::ApiError>((using, far))
    };
    let (_using, far) = match connect.await {
        Ok(connected) => connected,
        Err(error) => {
            tracing::debug!(error = error.message(), port, "cannot forward a port");

            return handle.reject(ChannelOpenFailure::ConnectFailed).await;
        }
    };
    handle.accept().await;
    let mut near = channel.into_stream();
    // While the server in the sandbox reads nothing, no other channel of the connection can be read.
    let mut far = Stall::new(far, SSH_FORWARD_STALL);
    tokio::select! {
        copied = copy_bidirectional(&mut near, &mut far) => {
            if let Err(error) = copied {
                tracing::debug!(%error, port, "a forwarded port ended early");
            }
        }
        () = place.closed() => {}
    }
}
