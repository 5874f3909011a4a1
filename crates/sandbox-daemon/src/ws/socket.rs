//! Sockets on which the daemon talks and the client listens.

use std::borrow::Cow;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::pin;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sandbox_wire::ws::close_code;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Duration, Interval, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::limits::{CLOSE_HANDSHAKE, CLOSE_SILENCE, PING_INTERVAL};
use crate::link::Link;

/// A WebSocket of the daemon's.
pub(crate) type Socket<S = TokioIo<Upgraded>> = WebSocketStream<S>;

/// Where the messages of a socket come from.
pub(crate) trait Source: Send {
    /// The next message, if it is there without waiting.
    fn ready(&mut self) -> Option<Bytes>;

    /// Waits until there may be a message; false if there will be none any more.
    ///
    /// Cancel safe.
    fn wait(&mut self) -> impl Future<Output = bool> + Send;

    /// How the socket is closed after the last message.
    fn close(&self) -> Close;
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

    /// The end of a stream that was sent whole.
    pub(crate) fn normal() -> Self {
        Self::new(close_code::NORMAL, "")
    }

    /// Returns this close, unless it would say that all was sent although `missing` bytes of `what` were not kept.
    pub(crate) fn unless_missing(self, missing: u64, what: &str) -> Self {
        if missing > 0 && self.code == close_code::NORMAL {
            let reason = format!("{missing} bytes of {what} were not kept");
            Self::new(close_code::INTERNAL_ERROR, reason)
        } else {
            self
        }
    }

    /// Returns the close frame, with as much of the reason as fits.
    pub(crate) fn frame(&self) -> Message {
        let end = self.reason.floor_char_boundary(REASON_BYTES);
        Message::Close(Some(CloseFrame {
            code: self.code.into(),
            reason: self.reason[..end].into(),
        }))
    }
}

/// Sends binary messages to their end and closes: as the source says then, and with 1001 when the server ends before.
///
/// What the client sends is read all the time and ignored, so that pings are answered while output flows and the client's
/// end is noticed while there is none. A slow client makes `source` wait and nobody else.
pub(crate) async fn send_all<S>(socket: Socket<S>, source: impl Source, mut link: Link)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut stream) = socket.split();
    let code = {
        let mut read = pin!(read(&mut stream));
        let mut write = pin!(write(&mut sink, source));
        tokio::select! {
            written = &mut write => match written {
                Ok(()) => None,
                Err(error) => {
                    tracing::debug!(%error, "a follower was lost");
                    return;
                }
            },
            ended = &mut read => match ended {
                ControlFlow::Continue(code) => Some(code),
                ControlFlow::Break(()) => return,
            },
            () = link.shutdown_begun() => Some(close_code::GOING_AWAY),
        }
    };
    let Some(code) = code else {
        tokio::select! {
            () = closed(&mut stream, CLOSE_SILENCE) => {}
            () = link.shutdown_begun() => {}
        }
        return;
    };
    let closing = close(sink, stream, code);
    if timeout(CLOSE_HANDSHAKE, closing).await.is_err() {
        tracing::debug!("a follower did not answer the close");
    }
}

/// Sends the messages and the close. Pings whenever nothing was sent for a while, so that neither a proxy nor the
/// kernel takes a silent connection for a dead one without asking.
async fn write<S>(
    sink: &mut SplitSink<Socket<S>, Message>,
    mut source: impl Source,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ping = pings();
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
    sink.send(source.close().frame()).await
}

/// Ticks when a socket has been silent for so long that it is to be pinged; to be reset whenever something was sent.
pub(crate) fn pings() -> Interval {
    let mut ping = interval(PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    ping
}

/// Sends the messages that are there without waiting, and tells whether there were any.
pub(crate) async fn send_ready<S>(
    sink: &mut SplitSink<Socket<S>, Message>,
    source: &mut impl Source,
) -> Result<bool, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut sent = false;
    while let Some(message) = source.ready() {
        sink.feed(Message::Binary(message)).await?;
        sent = true;
    }
    if sent {
        sink.flush().await?;
    }
    Ok(sent)
}

/// Reads until the client has closed (`Break`) or must be told to (`Continue` with the code).
async fn read<S>(stream: &mut SplitStream<Socket<S>>) -> ControlFlow<(), u16>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                return close_code_of(&error).map_or(ControlFlow::Break(()), ControlFlow::Continue);
            }
            None => return ControlFlow::Break(()),
        }
    }
}

/// What a client is to be told that sent something wrong; `None` if it has gone.
pub(crate) fn close_code_of(error: &Error) -> Option<u16> {
    match error {
        Error::Capacity(_) => Some(close_code::MESSAGE_TOO_BIG),
        Error::Protocol(_) | Error::Utf8(_) => Some(close_code::PROTOCOL_ERROR),
        _ => None,
    }
}

/// Waits for a client to answer the close behind the last message. A slow one may have much to read before it comes to
/// that, and would lose it if the connection were closed meanwhile, so each sign of life lets it have more time.
pub(crate) async fn closed<S>(stream: &mut SplitStream<Socket<S>>, silence: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Ok(Some(Ok(_))) = timeout(silence, stream.next()).await {}
}

/// Closes first, and waits for the client to do so too.
async fn close<S>(
    mut sink: SplitSink<Socket<S>, Message>,
    mut stream: SplitStream<Socket<S>>,
    code: u16,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if sink.send(close_frame(code)).await.is_err() {
        return;
    }
    loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => break,
            // It has, too.
            None => return,
        }
    }
    // After a message that was refused nothing can be told apart any more. A connection that is closed with bytes unread
    // is reset, which may take the close frame from the client.
    if let Ok(socket) = stream.reunite(sink) {
        let mut stream = socket.into_inner();
        let mut discarded = [0; 4096];
        while let Ok(1..) = stream.read(&mut discarded).await {}
    }
}

/// A close frame without a reason.
pub(crate) fn close_frame(code: u16) -> Message {
    Close::new(code, "").frame()
}

/// A control frame has 125 bytes, two of them the code.
const REASON_BYTES: usize = 123;

#[cfg(test)]
mod tests {

    use tokio::io::DuplexStream;
    use tokio::sync::watch;
    use tokio::time::Instant;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    /// Has no message.
    enum Empty {
        /// Never.
        Silent,
        Ended,
    }

    impl Source for Empty {
        fn ready(&mut self) -> Option<Bytes> {
            None
        }

        async fn wait(&mut self) -> bool {
            match self {
                Self::Silent => std::future::pending().await,
                Self::Ended => false,
            }
        }

        fn close(&self) -> Close {
            Close::normal()
        }
    }

    /// A socket of each side, the server's being served, and what tells the server to end.
    async fn connect(source: Empty) -> (Socket<DuplexStream>, watch::Sender<bool>) {
        let (ours, theirs) = tokio::io::duplex(1000);
        let slots = crate::slots::Slots::new(1, Duration::from_secs(30));
        let slot = slots.enter(crate::slots::Source::Local).await;
        let (begun, ear) = watch::channel(false);
        let socket = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
        tokio::spawn(send_all(socket, source, Link::new(ear, slot)));
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
