//! Makes the messages in which a follower gets a marker stream.

use std::mem;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::channel::Channel;
use crate::limits::MESSAGE_BYTES;
use crate::render::Renderer;

/// Turns output into messages that stock clients take apart without a stray or misplaced byte, whatever it holds.
///
/// Each follower has an encoder of its own. Its messages, in order, are one marker stream: joined they are a log for
/// [`demux_log`](crate::demux_log), and any cutting of them suits [`Decoder`](crate::Decoder). Beyond that, the cuts between
/// the messages are chosen for the streaming clients in the field, see below.
///
/// Each channel keeps all its bytes in order. Between the channels the order is that of the calls, except for a single byte
/// `01` or `02` that came alone: it may be sent earlier or later than what the other channel has at the time.
///
/// An encoder owns the message that it is filling, at most [`MESSAGE_BYTES`] unless another limit was set, and one byte per
/// channel. The memory of its messages is used again when they are dropped.
///
/// # Examples
///
/// ```
/// use sandbox_logcodec::{Channel, Encoder};
///
/// let mut encoder = Encoder::new();
/// let mut messages = Vec::new();
/// for (channel, mut output) in [(Channel::Stdout, &b"compiling\n"[..]), (Channel::Stderr, b"warning\n")] {
///     while let Some(full) = encoder.encode(channel, &mut output) {
///         messages.push(full);
///     }
/// }
/// // There is no more output for now.
/// messages.extend(encoder.flush());
/// // The command has ended.
/// messages.extend(encoder.finish());
///
/// assert_eq!(messages, [&b"\x01\x01\x01compiling\n\x02\x02\x02warning\n"[..]]);
/// ```
///
/// # What stock clients need
///
/// Payload bytes must not look like a marker. Where they would, a marker more is put between them; and where a marker would
/// touch an equal payload byte before it, the other marker is put between those. Neither adds a byte to a channel.
///
/// Furthermore the streaming clients before their repair (Python up to 0.190, TypeScript up to 0.218) look for markers only
/// in what they do not hold back, and they hold back up to two bytes `01` or `02` at the end of what they have. So they miss
/// a marker at the end of a message, and one with a single such byte after it. Here each message begins with a marker, and
/// the last marker in it is followed by two payload bytes or more, or by one that is neither `01` nor `02`.
///
/// All of them, repaired or not, show one or two bytes after the last marker only when the next message comes or the stream
/// ends. No server can change that.
///
/// # The one corner
///
/// When a stream ends, a single byte `01` or `02` may be all that is left of it, because it came alone and after the last
/// [`flush`](Self::flush). If what was sent last is on the same channel, the byte follows without a marker; or, as the third
/// of its kind in a row, it makes a marker of the two before it, and all three follow that. But if what was sent last is on
/// the other channel, there is no message with which the clients before their repair would get the byte: they show it, and
/// the marker before it, as output of that other channel. Clients after the repair, [`demux_log`](crate::demux_log) and
/// [`Decoder`](crate::Decoder) read it as it was. All other output is exact for all of them.
#[derive(Debug)]
pub struct Encoder {
    renderer: Renderer,
    message: BytesMut,
    /// A message that has so many bytes takes no more than what must not stay alone.
    full: usize,
    /// The last label in `message`.
    label: Label,
    /// For each channel a byte `01` or `02` that came alone, which stock clients would lose if it ended a message.
    waiting: [Option<u8>; 2],
}

/// Where a segment begins.
#[derive(Debug, Default)]
struct Label {
    /// The stream up to here.
    before: Renderer,
    /// Where in the message the label is, and where the payload after it begins.
    range: Range<usize>,
    /// Whether it is here because the next payload byte is the third of its kind.
    cuts_run: bool,
}

impl Encoder {
    /// Makes an encoder for a new follower, with messages of at most [`MESSAGE_BYTES`].
    pub fn new() -> Self {
        Self::with_message_limit(MESSAGE_BYTES)
    }

    /// Makes an encoder with messages of at most `limit` bytes.
    ///
    /// A limit under 64 bytes counts as 64. What speaks against large messages is said at [`MESSAGE_BYTES`].
    pub fn with_message_limit(limit: usize) -> Self {
        Self {
            renderer: Renderer::default(),
            message: BytesMut::new(),
            full: limit.max(LEAST_LIMIT) - RESERVE,
            label: Label::default(),
            waiting: [None; 2],
        }
    }

    /// Takes output off `data`, and returns a message as soon as one is full.
    ///
    /// Returns `None` when `data` is used up; call it until then. The message that is not yet full waits for more output, of
    /// either channel, or for [`flush`](Self::flush).
    pub fn encode(&mut self, channel: Channel, data: &mut &[u8]) -> Option<Bytes> {
        if self.message.len() >= self.full {
            return self.flush();
        }
        if !self.is_open(channel) {
            match **data {
                [] => return None,
                [byte @ (0x01 | 0x02)] if self.waiting[channel.index()].is_none() => {
                    self.waiting[channel.index()] = Some(byte);
                    *data = &[];
                    return None;
                }
                _ => self.open(channel),
            }
        }
        while !data.is_empty() {
            self.append(channel, data);
            // A byte that stayed alone might be the last one, with no message to carry it.
            if self.message.len() >= self.full && data.len() > 1 {
                return self.flush();
            }
        }
        None
    }

    /// Ends the message and returns it, or `None` if there is nothing to send.
    ///
    /// Call it when there is no more output for now. Everything that was encoded is on its way then, unless since the last
    /// message there was nothing but a single byte `01` or `02`, or one on each channel: these wait for more output.
    pub fn flush(&mut self) -> Option<Bytes> {
        let channel = self.renderer.channel()?;
        if self.message.is_empty() {
            return None;
        }
        self.release(channel);
        self.mend_end();
        if self.waiting[channel.other().index()].is_some() {
            self.insert_other(channel);
        }
        self.label = Label::default();
        Some(self.message.split().freeze())
    }

    /// Ends the stream and returns its last message, or `None` if all was sent.
    ///
    /// Afterwards the encoder stands at the beginning of a new stream.
    pub fn finish(&mut self) -> Option<Bytes> {
        if self.message.is_empty() {
            self.append_waiting();
        }
        let message = self.flush();
        self.renderer = Renderer::default();
        message
    }

    /// Whether payload of `channel` can be appended to the message as it is.
    fn is_open(&self, channel: Channel) -> bool {
        let is_next = self.waiting[channel.other().index()].is_none();
        is_next && !self.message.is_empty() && self.renderer.channel() == Some(channel)
    }

    /// Begins a segment, after what waited on the other channel and with what waited on this one.
    #[inline]
    fn open(&mut self, channel: Channel) {
        if self.waiting[channel.other().index()].is_some() {
            self.put_label(channel.other(), false);
            self.release(channel.other());
        }
        self.put_label(channel, false);
        self.release(channel);
    }

    /// Moves payload to the segment: at least one byte, and no more than up to the next label or the end of the message.
    #[inline]
    fn append(&mut self, channel: Channel, data: &mut &[u8]) {
        let room = self.full.saturating_sub(self.message.len()).max(2);
        if self.renderer.extend(data, room, &mut self.message) == 0 {
            self.put_label(channel, true);
            self.renderer.extend(data, room, &mut self.message);
        }
    }

    /// Moves the byte that waits to the segment.
    #[inline]
    fn release(&mut self, channel: Channel) {
        if self.waiting[channel.index()].is_some() {
            self.release_waiting(channel);
        }
    }

    #[cold]
    fn release_waiting(&mut self, channel: Channel) {
        if let Some(byte) = self.waiting[channel.index()].take() {
            self.append(channel, &mut [byte].as_slice());
        }
    }

    #[inline]
    fn put_label(&mut self, channel: Channel, cuts_run: bool) {
        let before = self.renderer.clone();
        let start = self.message.len();
        self.renderer.label(channel, &mut self.message);
        self.label = Label {
            before,
            range: start..self.message.len(),
            cuts_run,
        };
    }

    /// Gives the last segment a second byte if it has but the third of a run: `b b label b` becomes `b label b b`.
    fn mend_end(&mut self) {
        let Range { start, end } = self.label.range;
        if self.label.cuts_run && self.message.len() == end + 1 {
            self.message.copy_within(start..end, start - 1);
            self.message[end - 1] = self.message[end];
            self.label.range = start - 1..end - 1;
            self.renderer.double_tail();
        }
    }

    /// Inserts the byte that waits on the other channel before the last segment, where it does not end the message.
    fn insert_other(&mut self, channel: Channel) {
        let segment = self.message.split_off(self.label.range.end);
        self.message.truncate(self.label.range.start);
        self.renderer = mem::take(&mut self.label.before);
        self.open(channel);
        let mut rest = &segment[..];
        while !rest.is_empty() {
            self.append(channel, &mut rest);
        }
    }

    /// Appends what still waits at the end, to a message of its own: without a label where it goes on with what was sent last.
    fn append_waiting(&mut self) {
        let last = self.renderer.channel().unwrap_or(Channel::Stdout);
        for channel in [last, last.other()] {
            let Some(byte) = self.waiting[channel.index()] else {
                continue;
            };
            if self.renderer.channel() != Some(channel) {
                self.put_label(channel, false);
            } else if self.renderer.ends_in_two(byte) {
                self.take_back_two(channel);
            }
            self.release(channel);
        }
    }

    /// Takes back the two equal bytes that were sent last: with a third one they are a marker, and follow it again.
    fn take_back_two(&mut self, channel: Channel) {
        let byte = self.renderer.take_back_two(&mut self.message);
        if self.renderer.channel() != Some(channel) {
            self.put_label(channel, false);
        }
        self.append(channel, &mut [byte; 2].as_slice());
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Room for the labels and bytes that may follow when a message is full already.
const RESERVE: usize = 48;

const LEAST_LIMIT: usize = 64;
