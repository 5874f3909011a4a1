//! Events over Socket.IO: version 4 of Engine.IO, over WebSocket alone.
//!
//! Each message of the socket is a digit and what belongs to it: `0` opens, `1` closes, `2` pings, `3` is the response, and `4` is a packet of
//! Socket.IO, which begins with a digit of its own: `0` connects, `1` disconnects, `2` is an event, `4` is a refusal.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use sandbox_provider::Provider;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use uuid::Uuid;

use crate::body::empty;

use crate::error::ApiError;
use crate::events::{Packet, Receiver};
use crate::limits::{EVENT_CONNECT, EVENT_MESSAGE_BYTES, EVENT_PING, EVENT_PONG};
use crate::link::Link;
use crate::shared::Shared;

use super::call::{Call, Responded};
use super::convert;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// `GET /socket.io`. A client presents its key in the first packet, as it cannot set headers in a browser.
pub(super) async fn respond<P: Provider>(call: &mut Call<'_, P>) -> Responded {
    let headers = &call.parts.headers;
    let key = headers.get(header::SEC_WEBSOCKET_KEY).cloned();
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    let is_websocket = version.is_some_and(|version| version.as_bytes() == b"13");
    let upgraded = call.parts.extensions.remove::<OnUpgrade>();
    let (Some(key), Some(upgraded), true) = (key, upgraded, is_websocket) else {
        return Err(ApiError::bad(
            "events are sent over a WebSocket: transport=websocket",
        ));
    };
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
    let accept = accept.map_err(|error| ApiError::bad(error.to_string()))?;
    let shared = Arc::clone(&call.shared);
    let link = call.link.clone();
    let base = call.base.clone();
    tokio::spawn(async move {
        // An error means that the connection ended before the response was written.
        if let Ok(stream) = upgraded.await {
            let config = WebSocketConfig::default()
                .read_buffer_size(4 * 1024)
                .max_message_size(Some(EVENT_MESSAGE_BYTES))
                .max_frame_size(Some(EVENT_MESSAGE_BYTES));
            let stream = TokioIo::new(stream);
            let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
            let mut client = Client {
                shared,
                socket,
                base,
            };
            client.serve(link).await;
            let _ = timeout(EVENT_PONG, client.socket.close(None)).await;
        }
    });
    let mut response: Response<_> = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// A client of events.
struct Client<P> {
    shared: Arc<Shared<P>>,
    socket: Socket,
    base: String,
}

impl<P: Provider> Client<P> {
    /// Sends events until the client leaves, or is too late.
    async fn serve(&mut self, mut link: Link) {
        let Some((_place, mut events)) = self.open(&link).await else {
            return;
        };
        let mut next_ping = Instant::now() + EVENT_PING;
        let mut is_pinged = false;
        loop {
            let went = tokio::select! {
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => match Packet::parse(&text) {
                        Packet::Pong => {
                            is_pinged = false;
                            Some(())
                        }
                        Packet::Leave => None,
                        // A client has nothing to say that matters here.
                        Packet::Connect(_) | Packet::Other => Some(()),
                    },
                    Some(Ok(Message::Close(_)) | Err(_)) | None => None,
                    Some(Ok(_)) => Some(()),
                },
                event = events.recv() => match event {
                    Ok(found) => {
                        let (name, carried) = convert::event(&self.shared, &found, &self.base);
                        self.send(format!("42{}", json!([name, carried]))).await
                    }
                    Err(RecvError::Lagged(_) | RecvError::Closed) => None,
                },
                () = sleep_until(next_ping) => if is_pinged { None } else {
                        // The client has this time to respond, and is then pinged again.
                        next_ping = Instant::now() + EVENT_PING.max(EVENT_PONG);
                        is_pinged = true;
                        self.send("2".to_owned()).await
                    },
                () = link.shutdown_begun() => None,
            };
            if went.is_none() {
                return;
            }
        }
    }

    /// Opens the session, and waits for the key. A client that has not presented it takes no place among those that wait for events, and
    /// its connection makes room for another one as any connection without an admitted request.
    async fn open(&mut self, link: &Link) -> Option<(OwnedSemaphorePermit, Receiver)> {
        let opened = json!({
            "sid": random(),
            "upgrades": [],
            "pingInterval": millis(EVENT_PING),
            "pingTimeout": millis(EVENT_PONG),
            "maxPayload": EVENT_MESSAGE_BYTES,
        });
        self.send(format!("0{opened}")).await?;
        let connect = tokio::select! {
            connect = timeout(EVENT_CONNECT, self.connect_packet()) => connect.ok()??,
            () = link.evicted() => return None,
        };
        let token = connect["token"].as_str().unwrap_or_default();
        if !self.shared.is_key(token) {
            self.refuse("the key is not the right one").await;
            return None;
        }
        link.admit();
        let Some(place) = self.shared.events.enter() else {
            self.refuse("too many clients wait for events").await;
            return None;
        };
        let events = self.shared.events.subscribe();
        self.send(format!("40{}", json!({"sid": random()}))).await?;
        Some((place, events))
    }

    async fn refuse(&mut self, message: &str) {
        // A client that has left does not need it.
        let _ = self
            .send(format!("44{}", json!({"message": message})))
            .await;
    }

    /// Returns what the client presents when it connects.
    async fn connect_packet(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => match Packet::parse(&text) {
                    Packet::Connect(presented) => return Some(presented),
                    Packet::Pong => {}
                    Packet::Leave | Packet::Other => return None,
                },
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                _ => return None,
            }
        }
    }

    /// Sends a message; `None` if the client has left or does not read.
    async fn send(&mut self, text: String) -> Option<()> {
        let sent = timeout(EVENT_PONG, self.socket.send(Message::text(text))).await;
        sent.ok()?.ok()
    }
}

fn random() -> String {
    Uuid::new_v4().simple().to_string()
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
