//! A JSON object in which some members are texts that are read while they are sent.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use bytes::Bytes;
use futures_util::{Stream, stream};
use sandbox_logcodec::{Channel, TextDecoder};
use serde::Serialize;
use serde_json::Value;

use super::{Reader, Text};
use crate::api::response::short_or_streamed;
use crate::api::{ApiError, Body};

/// The object. May be sent more than once, as long as it is held: it holds the records.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    segments: VecDeque<Segment>,
}

#[derive(Debug, Clone)]
enum Segment {
    Literal(Bytes),
    Text(Text),
}

/// What a member has.
enum Member {
    Value(Value),
    Text(Text),
}

impl Object {
    /// Makes one of what `value` serializes to, an object, with `texts` as further members or in the place of its own.
    /// Members come in the order of their names: `termination` follows the output, and its brace is the last but one, for
    /// clients that look for the end of a response by that.
    pub(in crate::api) fn new(
        value: &impl Serialize,
        texts: Vec<(&'static str, Text)>,
    ) -> Result<Self, ApiError> {
        let value = serde_json::to_value(value).map_err(ApiError::internal)?;
        let members = match value {
            Value::Object(members) => members,
            _ => serde_json::Map::new(),
        };
        let members = members.into_iter();
        let mut members: BTreeMap<_, _> = members
            .map(|(name, value)| (name, Member::Value(value)))
            .collect();
        members.extend(
            texts
                .into_iter()
                .map(|(name, text)| (name.to_owned(), Member::Text(text))),
        );
        let mut literal = Vec::new();
        let mut segments = VecDeque::new();
        let mut before = b'{';
        for (name, member) in members {
            literal.push(before);
            before = b',';
            serde_json::to_writer(&mut literal, &name).map_err(ApiError::internal)?;
            literal.push(b':');
            match member {
                Member::Value(value) => {
                    serde_json::to_writer(&mut literal, &value).map_err(ApiError::internal)?;
                }
                Member::Text(text) => {
                    literal.push(b'"');
                    segments.push_back(Segment::Literal(std::mem::take(&mut literal).into()));
                    segments.push_back(Segment::Text(text));
                    literal.push(b'"');
                }
            }
        }
        if before == b'{' {
            literal.push(before);
        }
        literal.push(b'}');
        segments.push_back(Segment::Literal(literal.into()));
        Ok(Self { segments })
    }

    /// Bytes that it holds, in memory or in files.
    pub(crate) fn weight(&self) -> u64 {
        let weights = self.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => literal.len() as u64,
            Segment::Text(text) => text.weight(),
        });
        weights.sum()
    }

    /// The body of a response.
    pub(crate) fn body(&self) -> Body {
        short_or_streamed(|| self.clone().stream())
    }

    fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let sending = Sending {
            segments: self.segments,
            text: None,
        };
        stream::try_unfold(sending, |mut sending| async {
            let bytes = sending.next().await?;
            Ok(bytes.map(|bytes| (bytes, sending)))
        })
    }
}

/// An object while it is sent.
struct Sending {
    segments: VecDeque<Segment>,
    /// The text that is being sent, and what was read of it.
    text: Option<(Reader, TextDecoder, Bytes)>,
}

impl Sending {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some((reader, decoder, rest)) = &mut self.text {
                let (text, is_end) = match rest.is_empty() {
                    false => {
                        let piece = rest.split_to(rest.len().min(PIECE));
                        (escaped(&decoder.decode(CHANNEL, &piece))?, false)
                    }
                    true => match reader.next().await? {
                        Some(bytes) => {
                            *rest = bytes;
                            continue;
                        }
                        None => (escaped(decoder.finish(CHANNEL))?, true),
                    },
                };
                if is_end {
                    self.text = None;
                }
                if !text.is_empty() {
                    return Ok(Some(text));
                }
                continue;
            }
            match self.segments.pop_front() {
                Some(Segment::Literal(literal)) => return Ok(Some(literal)),
                Some(Segment::Text(text)) => {
                    self.text = Some((Reader::new(text)?, TextDecoder::new(), Bytes::new()));
                }
                None => return Ok(None),
            }
        }
    }
}

/// A part of a JSON string.
fn escaped(text: &str) -> io::Result<Bytes> {
    let mut quoted = Vec::with_capacity(text.len() + text.len() / 8 + 2);
    serde_json::to_writer(&mut quoted, text)?;
    let end = quoted.len() - 1;
    Ok(Bytes::from(quoted).slice(1..end))
}

/// The decoder's, for a text that is of one stream, whatever is in it.
const CHANNEL: Channel = Channel::Stdout;

/// Bytes of output that are encoded together.
const PIECE: usize = 16 * 1024;
