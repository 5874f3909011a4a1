//! A WebSocket, in a task of its own that keeps it alive however slow its consumer is.

use std::fmt;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sandbox_wire::ws::close_code;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message, Utf8Bytes};

use super::window::{Opened, Window};
use crate::limits::{
    CLOSE_HANDSHAKE, INPUT_PIECE_BYTES, INPUT_QUEUE, PING_INTERVAL, SOCKET_MESSAGE_BYTES,
    STREAM_BUFFER_BYTES,
};
use crate::{Delivery, Error, ErrorKind};

/// Both directions of a WebSocket. Dropping `incoming` closes it, after the messages that were passed to `outgoing`.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
}

/// A message from a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(Utf8Bytes),
    Binary(Bytes),
}

/// How a WebSocket ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The daemon closed it.
    Closed {
        /// The code of the close frame; absent if it had none.
        code: Option<u16>,
        reason: String,
    },
    /// The connection broke.
    Lost(Error),
}

/// The messages from a daemon. At most [`STREAM_BUFFER_BYTES`] of them wait here.
pub(crate) struct Incoming(mpsc::Receiver<Item>);

/// An item of the buffer; dropping the permit returns the item's space.
type Item = (Result<Frame, End>, Option<OwnedSemaphorePermit>);

/// The messages to a daemon.
#[derive(Clone)]
pub(crate) struct Outgoing {
    /// The messages that are sent in order.
    messages: mpsc::Sender<Message>,
    /// The messages that overtake the others.
    urgent: mpsc::Sender<Message>,
    window: Arc<Window>,
}

/// A connection that a WebSocket uses.
pub(crate) trait Carrier: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Carrier for T {}

impl Socket {
    /// Creates a WebSocket from a connection whose handshake is complete.
    pub(crate) async fn over(carrier: impl Carrier) -> Self {
        let config = WebSocketConfig::default()
            // The library's default is 128 KiB.
            .read_buffer_size(32 * 1024)
            // The library's defaults are 64 MiB, and 16 MiB for a frame: less than a daemon may
            // send.
            .max_message_size(Some(SOCKET_MESSAGE_BYTES))
            .max_frame_size(Some(SOCKET_MESSAGE_BYTES));
        let stream = WebSocketStream::from_raw_socket(carrier, Role::Client, Some(config)).await;
        let (to_consumer, incoming) = mpsc::channel(MESSAGES);
        let (messages, ordered) = mpsc::channel(INPUT_QUEUE);
        // A queue of its own: a signal that waited after the input would never reach a program that
        // does not read.
        let (urgent, first) = mpsc::channel(INPUT_QUEUE);
        let window = Arc::new(Window::default());
        let from_consumer = Lanes { first, ordered };
        tokio::spawn(run(stream, to_consumer, from_consumer, Arc::clone(&window)));
        Self {
            incoming: Incoming(incoming),
            outgoing: Outgoing {
                messages,
                urgent,
                window,
            },
        }
    }
}

impl Incoming {
    /// Returns the next message. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Frame, End> {
        match self.0.recv().await {
            Some((item, _room)) => item,
            // The end was returned before, or the runtime was shut down and has dropped the task.
            None => Err(End::Lost(lost("the connection has ended"))),
        }
    }
}

impl Outgoing {
    /// Sends a text, after the earlier messages.
    pub(crate) async fn text(&self, text: String) -> Result<(), Error> {
        // A piece of input before this may still wait for room, outside of the queue.
        let _turn = self.window.turn().await;
        give(&self.messages, text).await
    }

    /// Sends a text, before the messages that have not been sent yet.
    pub(crate) async fn urgent(&self, text: String) -> Result<(), Error> {
        give(&self.urgent, text).await
    }

    /// Limits the unacknowledged bytes to this many from now on, beyond those that the daemon reports as taken in a
    /// text of which `read` returns the number. Thus the daemon always reads, and urgent messages never wait.
    pub(crate) fn limit(&self, bytes: u64, read: fn(&str) -> Option<u64>) {
        self.window.limit(bytes, read);
    }

    /// Sends bytes in pieces that every daemon accepts.
    pub(crate) async fn binary(&self, mut bytes: Bytes) -> Result<(), Error> {
        let mut delivery = Delivery::NotSent;
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(INPUT_PIECE_BYTES));
            // For each piece, in the order of arrival: a long write does not block other senders
            // until its end.
            let turn = self.window.turn().await;
            turn.room(piece.len()).await;
            let length = piece.len();
            if self.messages.send(Message::Binary(piece)).await.is_err() {
                return Err(ended(delivery));
            }
            // Counted only after the queue has the piece, so that a write that is dropped while it
            // waits takes no room.
            turn.sent(length);
            delivery = Delivery::Uncertain;
        }
        Ok(())
    }
}

async fn give(to: &mpsc::Sender<Message>, text: String) -> Result<(), Error> {
    let sent = to.send(Message::Text(text.into())).await;
    sent.map_err(|_| ended(Delivery::NotSent))
}

impl End {
    /// Returns the error of a stream that had not reached its end.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Lost(error) => error,
            Self::Closed { code, reason } => {
                let kind = match code {
                    Some(close_code::MESSAGE_TOO_BIG) => ErrorKind::TooLarge,
                    Some(close_code::PROTOCOL_ERROR) => ErrorKind::Protocol,
                    _ => ErrorKind::Closed,
                };
                let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
                let colon = if reason.is_empty() { "" } else { ": " };
                let message =
                    format!("the daemon closed the connection{colon}{reason} (code {code})");
                Error::new(kind, Delivery::Uncertain, message)
            }
        }
    }
}

/// The state that the two directions share.
// One task polls both, so that no access needs an order.
#[derive(Default)]
struct Life {
    /// Whether something arrived since the last check.
    heard: AtomicBool,
    /// Whether reading is paused because the buffer is full.
    stalled: AtomicBool,
}

/// The queues of messages to send.
struct Lanes {
    first: mpsc::Receiver<Message>,
    ordered: mpsc::Receiver<Message>,
}

impl Lanes {
    /// Returns the next message, or `None` if there will be none. Cancel safe.
    async fn next(&mut self) -> Option<Message> {
        tokio::select! {
            biased;
            // `None` disables only this branch. Both queues are closed together, by the last
            // `Outgoing`.
            Some(message) = self.first.recv() => Some(message),
            message = self.ordered.recv() => message,
        }
    }
}

async fn run(
    stream: WebSocketStream<impl Carrier>,
    to: mpsc::Sender<Item>,
    mut from: Lanes,
    window: Arc<Window>,
) {
    // Dropped however this ends, to wake the writers that wait for room.
    let window = Opened(window);
    let (mut sink, mut stream) = stream.split();
    let life = Life::default();
    let end = {
        // Pinned here, since `rest` continues it: a message that it holds while it waits for room
        // would be lost with it.
        let mut read = pin!(read(&mut stream, &to, &life, &window.0));
        tokio::select! {
            end = &mut read => end,
            end = write(&mut sink, &mut from, &to, &life) => match end {
                WriteEnd::Silent(error) => End::Lost(error),
                // The daemon may have sent the reason, and more, before it closed.
                WriteEnd::Broken(error) => rest(read, &life).await.unwrap_or(End::Lost(error)),
            },
            // The time for the handshake of the close is over: this drops the connection.
            () = abandoned(&to) => return,
        }
    };
    let is_closed = matches!(end, End::Closed { .. });
    // From here on, sending to the socket that has ended is an error.
    drop(from);
    drop(window);
    // The consumer may have been dropped.
    let _ = to.try_send((Err(end), None));
    if is_closed {
        // Sends the reply to the close, and lets the daemon close the connection first.
        let _ = timeout(CLOSE_HANDSHAKE, async {
            while let Some(Ok(_)) = stream.next().await {}
        })
        .await;
    }
}

/// Resolves some time after the consumer was dropped.
async fn abandoned(to: &mpsc::Sender<Item>) {
    to.closed().await;
    // Meanwhile the messages in the queues and the close are sent.
    sleep(CLOSE_HANDSHAKE).await;
}

/// Continues to read for as long as something arrives or the buffer is full.
async fn rest(mut read: Pin<&mut impl Future<Output = End>>, life: &Life) -> Option<End> {
    loop {
        if let Ok(end) = timeout(CLOSE_HANDSHAKE, &mut read).await {
            return Some(end);
        }
        let is_stalled = life.stalled.load(Ordering::Relaxed);
        if !life.heard.swap(false, Ordering::Relaxed) && !is_stalled {
            return None;
        }
    }
}

/// Reads to the end. The library replies to pings when it is polled for the next message.
async fn read(
    stream: &mut SplitStream<WebSocketStream<impl Carrier>>,
    to: &mpsc::Sender<Item>,
    life: &Life,
    window: &Window,
) -> End {
    let buffer = Arc::new(Semaphore::new(STREAM_BUFFER_BYTES));
    loop {
        let message = stream.next().await;
        // Any frame shows that the peer is alive; most often it is the pong.
        life.heard.store(true, Ordering::Relaxed);
        let (length, frame) = match message {
            // Reports of taken input must not wait for a slow consumer.
            Some(Ok(Message::Text(text))) if window.take(&text) => continue,
            Some(Ok(Message::Text(text))) => (text.len(), Frame::Text(text)),
            Some(Ok(Message::Binary(bytes))) => (bytes.len(), Frame::Binary(bytes)),
            Some(Ok(Message::Close(frame))) => return closed(frame),
            Some(Ok(_)) => continue,
            Some(Err(error)) => return End::Lost(broken(error)),
            None => return End::Lost(lost("the connection ended without a close")),
        };
        // A message that is longer than the buffer waits until that is empty; more permits than
        // there are would never be granted.
        let wanted = (length + MESSAGE_OVERHEAD).min(STREAM_BUFFER_BYTES);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        // First without waiting: `stalled` suppresses the pings, and must be set only while reading
        // is paused.
        let room = match buffer.clone().try_acquire_many_owned(wanted) {
            Ok(room) => Some(room),
            Err(_) => {
                life.stalled.store(true, Ordering::Relaxed);
                window.stall(true);
                let room = tokio::select! {
                    room = buffer.clone().acquire_many_owned(wanted) => room.ok(),
                    // No space will be returned any more, and the daemon's close is still to be
                    // read.
                    () = to.closed() => None,
                };
                life.stalled.store(false, Ordering::Relaxed);
                window.stall(false);
                room
            }
        };
        // Without a consumer, what comes before the daemon's close is read and dropped.
        // Never full, since each message in the channel holds at least `MESSAGE_OVERHEAD` of the
        // buffer.
        let _ = to.try_send((Ok(frame), room));
    }
}

/// The space that a message takes in the buffer besides its bytes.
const MESSAGE_OVERHEAD: usize = 64;

/// The maximum number of messages in the buffer, and one for the end after them.
const MESSAGES: usize = STREAM_BUFFER_BYTES / MESSAGE_OVERHEAD + 1;

/// The reason why sending stopped.
enum WriteEnd {
    /// Nothing arrives, although pings were sent.
    Silent(Error),
    /// Nothing can be sent any more.
    Broken(Error),
}

/// Sends the consumer's messages, and keeps the connection alive; closes it when the consumer is dropped.
///
/// While the buffer is full, a pong is sent instead of a ping, since the reply to a ping would not be seen: for the
/// daemon it is a sign of life all the same.
async fn write(
    sink: &mut SplitSink<WebSocketStream<impl Carrier>, Message>,
    from: &mut Lanes,
    to: &mpsc::Sender<Item>,
    life: &Life,
) -> WriteEnd {
    // No ping immediately: the response to the handshake has just shown that the peer is alive.
    let mut ticks = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    // After a send that took long, the missed ticks would otherwise count as silence at once.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent = 0;
    let mut has_writers = true;
    loop {
        let message = tokio::select! {
            // Messages in the queues are sent before the close.
            biased;
            message = from.next(), if has_writers => match message {
                Some(message) => message,
                None => {
                    // A closed channel is always ready: polled again, it would keep this loop busy.
                    has_writers = false;
                    continue;
                }
            },
            () = to.closed() => break,
            _ = ticks.tick() => {
                let is_stalled = life.stalled.load(Ordering::Relaxed);
                let is_silent = !life.heard.swap(false, Ordering::Relaxed) && !is_stalled;
                silent = if is_silent { silent + 1 } else { 0 };
                if silent == SILENT_INTERVALS {
                    let message = format!("nothing came for {:?}", PING_INTERVAL * silent);
                    return WriteEnd::Silent(lost(&message));
                }
                if is_stalled { Message::Pong(Bytes::new()) } else { Message::Ping(Bytes::new()) }
            }
        };
        // A daemon that does not take input lets this wait. `read` is polled beside it, so that
        // output still arrives.
        if let Err(error) = sink.send(message).await {
            return WriteEnd::Broken(broken(error));
        }
    }
    let frame = CloseFrame {
        code: close_code::NORMAL.into(),
        reason: Utf8Bytes::default(),
    };
    match sink.send(Message::Close(Some(frame))).await {
        // The daemon's close ends the other direction; if it sends none, the timeout ends both.
        Ok(()) => pending().await,
        Err(error) => WriteEnd::Broken(broken(error)),
    }
}

/// The number of consecutive intervals without data after which a connection has ended; the last follows a ping.
const SILENT_INTERVALS: u32 = 2;

fn closed(frame: Option<CloseFrame>) -> End {
    match frame {
        Some(frame) => End::Closed {
            code: Some(frame.code.into()),
            reason: frame.reason.as_str().to_owned(),
        },
        None => End::Closed {
            code: None,
            reason: String::new(),
        },
    }
}

fn broken(error: SocketError) -> Error {
    let (kind, message) = match &error {
        SocketError::Capacity(_) => (ErrorKind::TooLarge, "the daemon sent too long a message"),
        SocketError::Protocol(
            // A violation for the library, but also what every lost connection looks like.
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ) => (ErrorKind::Closed, "the connection ended without a close"),
        SocketError::Protocol(_) | SocketError::Utf8(_) => (
            ErrorKind::Protocol,
            "the daemon sent what is no WebSocket's",
        ),
        _ => (ErrorKind::Closed, "the connection ended without a close"),
    };
    Error::new(kind, Delivery::Uncertain, message).with_source(error)
}

fn lost(message: &str) -> Error {
    Error::new(ErrorKind::Closed, Delivery::Uncertain, message)
}

fn ended(delivery: Delivery) -> Error {
    Error::new(ErrorKind::Closed, delivery, "the connection has ended")
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").finish_non_exhaustive()
    }
}
