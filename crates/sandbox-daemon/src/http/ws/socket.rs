//! The daemon's end of a WebSocket.

use std::borrow::Cow;
use std::pin::pin;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sandbox_wire::ws::close_code;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::limits::{CLOSE_HANDSHAKE, CLOSE_SILENCE, EXEC_START, PING_INTERVAL};
use crate::link::Link;

/// A WebSocket, as the server.
pub(crate) type Socket<S = TokioIo<Upgraded>> = WebSocketStream<S>;

/// A source of messages to a client.
pub(crate) trait Source: Send {
    type Message: Into<Message> + Send;

    /// Returns the next message, if it is available without waiting.
    fn ready(&mut self) -> Option<Self::Message>;

    /// Waits until there may be a message. Returns `false` if there will be no more. Cancel safe.
    fn wait(&mut self) -> impl Future<Output = bool> + Send;

    /// Returns the messages after the last one that was [ready](Self::ready), and how the socket is closed after them.
    fn finish(&mut self) -> impl Future<Output = (Vec<Message>, Close)> + Send;
}

/// A handler for the messages of a client.
pub(crate) trait Receive: Send {
    /// Handles a message of text or bytes. Nothing more is read while it waits, which slows down a client that is too fast.
    fn receive(&mut self, message: Message) -> impl Future<Output = ()> + Send;
}

/// Ignores all messages.
impl Receive for () {
    async fn receive(&mut self, _: Message) {}
}

/// The code and the reason of a close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) reason: Cow<'static, str>,
}

impl Close {
    pub(crate) fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }

    /// Returns the close of a stream that was sent completely.
    pub(crate) fn normal() -> Self {
        Self::new(close_code::NORMAL, "")
    }

    /// Returns this close, unless it would mean that all was sent although `missing` bytes of `what` were not retained.
    pub(crate) fn unless_missing(self, missing: u64, what: &str) -> Self {
        if missing > 0 && self.code == close_code::NORMAL {
            let reason = format!("{missing} bytes of {what} were discarded");
            Self::new(close_code::INTERNAL_ERROR, reason)
        } else {
            self
        }
    }

    /// Returns the close frame, with as much of the reason as fits.
    pub(crate) fn frame(&self) -> Message {
        // A reason is UTF-8 (RFC 6455, section 5.5.1), so that no character is cut.
        let end = self.reason.floor_char_boundary(REASON_BYTES);
        Message::Close(Some(CloseFrame {
            code: self.code.into(),
            reason: self.reason[..end].into(),
        }))
    }
}

/// Both directions of a WebSocket, until it is closed or the server ends.
pub(crate) struct Duplex<S = TokioIo<Upgraded>> {
    sink: SplitSink<Socket<S>, Message>,
    stream: SplitStream<Socket<S>>,
    link: Link,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex<S> {
    pub(crate) fn new(socket: Socket<S>, link: Link) -> Self {
        // Both halves share the socket behind a lock for each poll. One task reads and writes, so
        // that it is never contended.
        let (sink, stream) = socket.split();
        Self { sink, stream, link }
    }

    /// Returns the first message of text or bytes.
    ///
    /// # Errors
    ///
    /// Returns the close to send instead: 1008 for `silence` if no message arrives in time, 1001 when the server ends, the
    /// code for a message that cannot be read. `None` if the client has left.
    pub(crate) async fn first(&mut self, silence: &'static str) -> Result<Message, Option<Close>> {
        let Self { stream, link, .. } = self;
        tokio::select! {
            first = timeout(EXEC_START, next(stream)) => first
                .unwrap_or_else(|_| Err(Some(Close::new(close_code::POLICY_VIOLATION, silence)))),
            () = link.shutdown_begun() => Err(Some(Close::new(close_code::GOING_AWAY, ""))),
        }
    }

    pub(crate) async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.sink.send(message).await
    }

    /// Sends all messages of `source` and closes: with the close of the source, or with 1001 if the server ends before.
    ///
    /// The client is read all the time, so that its pings get a pong while output flows and its end is noticed while there
    /// is none. A slow client makes only `source` wait. `receive` is dropped before the close.
    pub(crate) async fn run(mut self, source: impl Source, receive: impl Receive) {
        let Self { sink, stream, link } = &mut self;
        let close = {
            let mut read = pin!(read(stream, receive));
            let mut write = pin!(write(sink, source));
            tokio::select! {
                written = &mut write => match written {
                    Ok(()) => None,
                    Err(error) => {
                        tracing::debug!(%error, "the client of a socket was lost");
                        return;
                    }
                },
                close = &mut read => match close {
                    Some(close) => Some(close),
                    None => return,
                },
                () = link.shutdown_begun() => Some(Close::new(close_code::GOING_AWAY, "")),
            }
        };
        match close {
            Some(close) => self.close(close).await,
            None => tokio::select! {
                () = closed(stream) => {}
                () = link.shutdown_begun() => {}
            },
        }
    }

    /// Closes before the end, and waits for the client to close too; not if that has left (`None`).
    pub(crate) async fn close(self, close: impl Into<Option<Close>>) {
        if let Some(close) = close.into()
            && timeout(CLOSE_HANDSHAKE, self.shake(close)).await.is_err()
        {
            tracing::debug!("a client did not close in time");
        }
    }

    async fn shake(mut self, close: Close) {
        if self.sink.send(close.frame()).await.is_err() {
            return;
        }
        loop {
            match self.stream.next().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => break,
                // The client has already closed.
                None => return,
            }
        }
        // After a refused message the stream cannot be parsed any more. A connection that is closed with bytes unread
        // is reset, which may discard the close frame before the client reads it.
        if let Ok(socket) = self.stream.reunite(self.sink) {
            let mut stream = socket.into_inner();
            let mut discarded = [0; 4096];
            while let Ok(1..) = stream.read(&mut discarded).await {}
        }
    }
}

/// Sends the messages and the close. Pings whenever nothing was sent for a while, so that neither a proxy nor the
/// kernel drops a silent connection without a probe.
async fn write<S>(
    sink: &mut SplitSink<Socket<S>, Message>,
    mut source: impl Source,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ping = interval(PING_INTERVAL);
    // One ping after a write that took long, not one for each interval of it.
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval is immediate.
    ping.reset();
    loop {
        if send_ready(sink, &mut source).await? {
            ping.reset();
        }
        tokio::select! {
            more = source.wait() => if !more {
                break;
            },
            _ = ping.tick() => sink.send(Message::Ping(Bytes::new())).await?,
        }
    }
    send_ready(sink, &mut source).await?;
    let (last, close) = source.finish().await;
    for message in last {
        sink.feed(message).await?;
    }
    sink.send(close.frame()).await
}

/// Sends the messages that are available without waiting. Returns whether there were any.
async fn send_ready<S>(
    sink: &mut SplitSink<Socket<S>, Message>,
    source: &mut impl Source,
) -> Result<bool, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut sent = false;
    while let Some(message) = source.ready() {
        // Flushed together, below: many small messages become few writes.
        sink.feed(message.into()).await?;
        sent = true;
    }
    if sent {
        sink.flush().await?;
    }
    Ok(sent)
}

/// Reads until the client has left (`None`) or is to be sent a close.
async fn read<S>(stream: &mut SplitStream<Socket<S>>, mut receive: impl Receive) -> Option<Close>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match next(stream).await {
            Ok(message) => receive.receive(message).await,
            Err(close) => return close,
        }
    }
}

/// Returns the next message of text or bytes, or the close for a client that sent something invalid; `None` if it has left.
async fn next<S>(stream: &mut SplitStream<Socket<S>>) -> Result<Message, Option<Close>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let code = match stream.next().await {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => return Ok(message),
            // A ping; the library queues the pong, and sends it with the next write or read.
            Some(Ok(_)) => continue,
            Some(Err(Error::Capacity(_))) => close_code::MESSAGE_TOO_BIG,
            Some(Err(Error::Protocol(_) | Error::Utf8(_))) => close_code::PROTOCOL_ERROR,
            Some(Err(_)) | None => return Err(None),
        };
        return Err(Some(Close::new(code, "")));
    }
}

/// Waits for a client's response to the close after the last message. A slow client may have much to read before that,
/// and would lose it if the connection were closed meanwhile, so any message extends the time.
async fn closed<S>(stream: &mut SplitStream<Socket<S>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Ok(Some(Ok(_))) = timeout(CLOSE_SILENCE, stream.next()).await {}
}

/// Returns a value as a message. The values are maps with string keys, which can always be serialized.
pub(crate) fn json(message: &impl Serialize) -> Message {
    let json = serde_json::to_string(message).unwrap_or_default();
    Message::Text(json.into())
}

/// Maximum length of a reason: a control frame has 125 bytes, two of them the code.
const REASON_BYTES: usize = 123;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::DuplexStream;
    use tokio::sync::watch;
    use tokio::time::Instant;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    /// A source without messages.
    enum Empty {
        /// Never ends.
        Silent,
        Ended,
    }

    impl Source for Empty {
        type Message = Bytes;

        fn ready(&mut self) -> Option<Bytes> {
            None
        }

        async fn wait(&mut self) -> bool {
            match self {
                Self::Silent => std::future::pending().await,
                Self::Ended => false,
            }
        }

        async fn finish(&mut self) -> (Vec<Message>, Close) {
            (Vec::new(), Close::normal())
        }
    }

    /// Returns a socket of each side, the server's being served, and a sender that shuts down the server.
    async fn connect(source: Empty) -> (Socket<DuplexStream>, watch::Sender<bool>) {
        let (ours, theirs) = tokio::io::duplex(1000);
        let slots = crate::slots::Slots::new(1, Duration::from_secs(30));
        let slot = slots.enter(crate::slots::Source::Local).await;
        let (begun, ear) = watch::channel(false);
        let socket = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
        let duplex = Duplex::new(socket, Link::new(ear, slot));
        tokio::spawn(duplex.run(source, ()));
        let client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        (client, begun)
    }

    #[test]
    fn reasons_are_cut_between_characters() {
        let close = Close::new(close_code::INTERNAL_ERROR, "é".repeat(100));
        let Message::Close(Some(frame)) = close.frame() else {
            panic!("no close frame");
        };
        assert_eq!(frame.reason.as_str(), "é".repeat(61));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_socket_is_pinged() {
        let (mut client, begun) = connect(Empty::Silent).await;
        let begin = Instant::now();
        for count in 1..4 {
            let message = client.next().await.unwrap().unwrap();
            assert!(matches!(message, Message::Ping(_)), "{message:?}");
            assert_eq!(begin.elapsed(), PING_INTERVAL * count);
        }
        drop(client);
        begun.closed().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_still_reads_may_close_late() {
        let (mut client, begun) = connect(Empty::Ended).await;
        let begin = Instant::now();
        let late = CLOSE_SILENCE - Duration::from_secs(1);
        for _ in 0..3 {
            tokio::time::sleep(late).await;
            client.send(Message::Pong(Bytes::new())).await.unwrap();
        }
        begun.closed().await;
        assert_eq!(begin.elapsed(), late * 3 + CLOSE_SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_close_is_not_waited_for_long() {
        let (mut client, begun) = connect(Empty::Silent).await;
        let begin = Instant::now();
        begun.send_replace(true);
        begun.closed().await;
        let waited = begin.elapsed();
        assert!(waited >= CLOSE_HANDSHAKE && waited < CLOSE_HANDSHAKE + Duration::from_secs(1));
        let message = client.next().await.unwrap().unwrap();
        let Message::Close(Some(frame)) = message else {
            panic!("{message:?}");
        };
        assert_eq!(u16::from(frame.code), close_code::GOING_AWAY);
    }
}
