//! Output in responses, read from its record while it is sent: a response takes as long as its client takes to read it, and
//! needs the memory of a few pieces.

mod object;

use std::io;

use bytes::Bytes;
use futures_util::{Stream, stream};
use sandbox_engine::record::{Piece, Record};
use sandbox_logcodec::{Channel, LogWriter, gap_notice};
use sandbox_wire::rest::OutputTruncation;

pub(crate) use object::Object;

use crate::service::output::{Parts, Stretch};

/// A member of a response's object that is created while it is sent.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Text(Text),
    /// Charts of a program, as an object with these. Each is converted to a JSON value, one after the other. Measured:
    /// at most 160 MB more than idle for points, bars and labels of any number, and 240 MB for a picture of 60 MB,
    /// which are returned when it is sent.
    Charts(Vec<Bytes>),
}

impl From<Text> for Part {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

/// Output in a response.
#[derive(Debug, Clone)]
pub(super) struct Text {
    record: Record,
    stretch: Stretch,
    content: Content,
    notices: Notices,
}

/// The channels that a text contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Both channels.
    Both,
    /// Both channels, with markers.
    Marked,
    /// One channel.
    Only(Channel),
}

/// The notices in place of missing bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notices {
    None,
    /// A line with the number of bytes that are missing there.
    Lines,
    /// A line with the total number of missing bytes, at the first place where bytes are missing.
    Sum(u64),
}

impl Text {
    pub(super) fn new(
        record: &Record,
        stretch: Stretch,
        content: Content,
        notices: Notices,
    ) -> Self {
        Self {
            record: record.clone(),
            stretch,
            content,
            notices,
        }
    }

    /// Returns the bytes of the record that it contains or skips while it is read.
    fn weight(&self) -> u64 {
        self.stretch.total()
    }

    /// Returns the text as a stream of bytes.
    pub(super) fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::try_unfold(None, move |reader| {
            let text = self.clone();
            async move {
                let mut reader = match reader {
                    Some(reader) => reader,
                    None => Reader::new(text)?,
                };
                let bytes = reader.next().await?;
                Ok(bytes.map(|bytes| (bytes, Some(reader))))
            }
        })
    }
}

/// A text that is being sent.
struct Reader {
    text: Text,
    parts: Parts,
    writer: LogWriter,
    /// Bytes that were found missing so far.
    missing: u64,
}

impl Reader {
    fn new(text: Text) -> io::Result<Self> {
        let parts = Parts::new(&text.record, text.stretch).map_err(io::Error::other)?;
        Ok(Self {
            text,
            parts,
            writer: LogWriter::new(),
            missing: 0,
        })
    }

    /// Returns the next bytes; never empty. `None` at the end.
    ///
    /// Returns an error if the record has lost a part since it was scanned: the truncation that was reported is wrong then.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let bytes = match self.parts.next().await {
                Some(Piece::Data { channel, bytes, .. }) => self.data(channel, bytes),
                Some(Piece::Gap { length, .. }) => self.gap(length),
                None if self.missing != self.text.stretch.missing() => {
                    return Err(io::Error::other("the output was removed while it was sent"));
                }
                None => return Ok(None),
            };
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    fn data(&mut self, channel: Channel, bytes: Bytes) -> Bytes {
        match self.text.content {
            Content::Both => bytes,
            Content::Only(only) if only == channel => bytes,
            Content::Only(_) => Bytes::new(),
            Content::Marked => {
                let mut marked = Vec::with_capacity(bytes.len() + 16);
                self.writer.write(channel, &bytes, &mut marked);
                marked.into()
            }
        }
    }

    fn gap(&mut self, length: u64) -> Bytes {
        let is_first = self.missing == 0;
        self.missing += length;
        let notice = match self.text.notices {
            Notices::Lines => gap_notice(length),
            Notices::Sum(sum) if is_first && sum > 0 => gap_notice(sum),
            Notices::None | Notices::Sum(_) => return Bytes::new(),
        };
        match self.text.content {
            // With a marker, or the notice would count as output of whichever channel came before
            // it.
            Content::Marked => self.data(Channel::Stderr, notice.into()),
            Content::Both | Content::Only(_) => notice.into(),
        }
    }
}

/// Returns the truncation of a record in a response, if bytes are missing.
pub(super) fn truncation(stretch: &Stretch) -> Option<OutputTruncation> {
    (stretch.missing() > 0).then(|| OutputTruncation {
        total_bytes: stretch.total(),
        dropped_bytes: stretch.missing(),
    })
}
