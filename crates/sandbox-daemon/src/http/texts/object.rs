//! A JSON object some of whose members are created while they are sent.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{Response, StatusCode};
use sandbox_logcodec::{Channel, TextDecoder};
use serde::Serialize;
use serde_json::Value;

use super::{Part, Reader, Text};
use crate::chart;
use crate::http::response::{Body, JSON, SHORT, short_or_streamed, stream_body, typed};

/// A JSON object. It may be sent more than once, as long as it is held: it holds the records.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    segments: VecDeque<Segment>,
}

#[derive(Debug, Clone)]
enum Segment {
    Literal(Bytes),
    Text(Text),
    /// A chart as the program showed it.
    Chart(Bytes),
}

/// The value of a member.
enum Member {
    Value(Value),
    Part(Part),
}

impl Object {
    /// Creates an object of the members that `value` serializes to, with `parts` as further members or replacements.
    /// Members are in the order of their names: `termination` follows the output, and its brace is the last but one, for
    /// clients that detect the end of a response by that.
    pub(crate) fn new(
        value: &impl Serialize,
        parts: Vec<(&'static str, Part)>,
    ) -> Result<Self, serde_json::Error> {
        let value = serde_json::to_value(value)?;
        let members = match value {
            Value::Object(members) => members,
            _ => serde_json::Map::new(),
        };
        let members = members.into_iter();
        let mut members: BTreeMap<_, _> = members
            .map(|(name, value)| (name, Member::Value(value)))
            .collect();
        // After the values, so that a part replaces a member of the same name.
        members.extend(
            parts
                .into_iter()
                .map(|(name, part)| (name.to_owned(), Member::Part(part))),
        );
        let mut literal = Vec::new();
        let mut segments = VecDeque::new();
        let mut before = b'{';
        for (name, member) in members {
            literal.push(before);
            before = b',';
            serde_json::to_writer(&mut literal, &name)?;
            literal.push(b':');
            match member {
                Member::Value(value) => {
                    serde_json::to_writer(&mut literal, &value)?;
                }
                Member::Part(Part::Charts(records)) => {
                    literal.extend_from_slice(b"{\"charts\":[");
                    for (index, record) in records.into_iter().enumerate() {
                        if index > 0 {
                            literal.push(b',');
                        }
                        segments.push_back(Segment::Literal(std::mem::take(&mut literal).into()));
                        segments.push_back(Segment::Chart(record));
                    }
                    literal.extend_from_slice(b"]}");
                }
                Member::Part(Part::Text(text)) => {
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

    /// Returns the bytes that it holds, in memory or in files.
    pub(crate) fn weight(&self) -> u64 {
        let weights = self.segments.iter().map(|segment| match segment {
            Segment::Literal(bytes) | Segment::Chart(bytes) => bytes.len() as u64,
            Segment::Text(text) => text.weight(),
        });
        weights.sum()
    }

    /// Returns a response with the object. A response that is cached to be sent again retains the object.
    pub(crate) fn into_response(self, status: StatusCode) -> Response<Body> {
        let mut response = typed(JSON, self.body());
        response.extensions_mut().insert(self);
        *response.status_mut() = status;
        response
    }

    /// Returns the body of a response.
    pub(crate) fn body(&self) -> Body {
        let charts = self.segments.iter().map(|segment| match segment {
            Segment::Chart(record) => record.len(),
            Segment::Literal(_) | Segment::Text(_) => 0,
        });
        // Not to be serialized twice, the first time only to find that they are not short.
        if charts.sum::<usize>() > SHORT {
            stream_body(self.clone().stream())
        } else {
            short_or_streamed(|| self.clone().stream())
        }
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

/// An object that is being sent.
struct Sending {
    segments: VecDeque<Segment>,
    /// The text that is being sent, and the bytes of it that were read.
    text: Option<(Reader, TextDecoder, Bytes)>,
}

impl Sending {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some((reader, decoder, rest)) = &mut self.text {
                let (text, is_end) = if rest.is_empty() {
                    match reader.next().await? {
                        Some(bytes) => {
                            *rest = bytes;
                            continue;
                        }
                        None => (escaped(decoder.finish(CHANNEL))?, true),
                    }
                } else {
                    // Escaped, a byte may become six.
                    let piece = rest.split_to(rest.len().min(PIECE));
                    (escaped(&decoder.decode(CHANNEL, &piece))?, false)
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
                Some(Segment::Chart(record)) => {
                    return Ok(Some(chart::write(record).await?.json));
                }
                Some(Segment::Text(text)) => {
                    self.text = Some((Reader::new(text)?, TextDecoder::new(), Bytes::new()));
                }
                None => return Ok(None),
            }
        }
    }
}

/// Returns a text escaped as a part of a JSON string.
fn escaped(text: &str) -> io::Result<Bytes> {
    let mut quoted = Vec::with_capacity(text.len() + text.len() / 8 + 2);
    serde_json::to_writer(&mut quoted, text)?;
    // Without the quotes, which are in the literals around it.
    let end = quoted.len() - 1;
    Ok(Bytes::from(quoted).slice(1..end))
}

/// The channel for the decoder, whose text is of one stream, whatever its content.
const CHANNEL: Channel = Channel::Stdout;

/// Bytes of output that are encoded together.
const PIECE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use sandbox_charts::Chart;
    use serde_json::json;

    use super::*;

    /// Returns the object as sent, and the number of pieces.
    async fn sent(value: &Value, parts: Vec<(&'static str, Part)>) -> (String, usize) {
        let object = Object::new(value, parts).unwrap();
        let pieces: Vec<Bytes> = object.stream().try_collect().await.unwrap();
        (String::from_utf8(pieces.concat()).unwrap(), pieces.len())
    }

    #[tokio::test]
    async fn charts_are_written_one_after_the_other() {
        let value = json!({"exitCode": 0, "result": "r"});
        let charts = [
            &b"{\"type\":\"pie\"}"[..],
            b"no JSON",
            b"{\"type\":\"radar\",\"a\":[1]}",
        ];
        let parts = |count: usize| {
            let records = charts.iter().take(count).map(|one| Bytes::from_static(one));
            vec![("artifacts", Part::Charts(records.collect()))]
        };
        let (text, pieces) = sent(&value, parts(3)).await;
        let expect: Vec<_> = charts
            .iter()
            .map(|one| Chart::from_slice(one).to_json())
            .collect();
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!({"artifacts": {"charts": expect}, "exitCode": 0, "result": "r"})
        );
        assert!(
            text.starts_with("{\"artifacts\":") && text.ends_with("\"r\"}"),
            "{text}"
        );
        assert_eq!(pieces, 7);
        let (text, _) = sent(&json!({}), parts(0)).await;
        assert_eq!(text, "{\"artifacts\":{\"charts\":[]}}");
    }
}
