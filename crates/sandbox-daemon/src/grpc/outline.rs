//! Scans the messages of a call as they arrive, so that one with more values than a request may have is refused before it
//! is received or decoded: an entry of a map takes a few bytes on the wire and a hundred in memory.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorSet};
use sandbox_wire::pb;
use tonic::Status;

use crate::limits::REQUEST_VALUES;
use crate::service::Error;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a call, whose values are counted.
#[derive(Debug)]
pub(super) struct Counted {
    body: Incoming,
    /// `None` for a method that does not exist.
    outline: Option<Outline>,
}

impl Counted {
    /// Counts the values of a request as they arrive.
    pub(super) fn request(request: Request<Incoming>) -> Request<Self> {
        let outline = Outline::of(request.uri().path());
        request.map(|body| Self { body, outline })
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let frame = frame?;
        if let (Some(outline), Some(data)) = (&mut self.outline, frame.data_ref()) {
            outline.feed(data)?;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Parses the messages of a call byte by byte, as far as needed to count the fields of each, at any depth. An entry of a map
/// counts as one field.
#[derive(Debug)]
pub(crate) struct Outline {
    /// The type of each message.
    root: usize,
    /// The types of the enclosing messages, and their ends.
    inside: Vec<(usize, u64)>,
    place: Place,
    /// Offset within the message.
    at: u64,
    values: usize,
    /// A varint of which not all bytes have arrived.
    number: u64,
    shift: u32,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// The prefix of a message, with the number of bytes that have arrived, and their value.
    Prefix {
        read: u8,
        is_compressed: bool,
        length: u32,
    },
    /// The number and type of a field.
    Key,
    /// The length of this field.
    Length { field: u64 },
    /// A varint that is a field.
    Number,
    /// Bytes, of which this many are missing.
    Bytes(u64),
}

const PREFIX: Place = Place::Prefix {
    read: 0,
    is_compressed: false,
    length: 0,
};

impl Outline {
    /// Returns an outline for the requests of a method; `None` if there is no such method.
    pub(crate) fn of(method: &str) -> Option<Self> {
        Some(Self {
            root: *SCHEMA.methods.get(method)?,
            inside: Vec::new(),
            place: PREFIX,
            at: 0,
            values: 0,
            number: 0,
            shift: 0,
        })
    }

    /// Parses the next bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        while let [byte, rest @ ..] = bytes {
            bytes = rest;
            match self.place {
                Place::Prefix {
                    read,
                    is_compressed,
                    length,
                } => self.prefix(*byte, read, is_compressed, length)?,
                Place::Bytes(left) => {
                    // Not byte by byte: most of a message is the content of texts.
                    let more = (left - 1).min(rest.len() as u64);
                    let (_, rest) = rest.split_at(usize::try_from(more).unwrap_or(rest.len()));
                    bytes = rest;
                    self.at += 1 + more;
                    self.skip(left - 1 - more)?;
                }
                Place::Key | Place::Length { .. } | Place::Number => self.digit(*byte)?,
            }
        }
        Ok(())
    }

    fn prefix(
        &mut self,
        byte: u8,
        read: u8,
        is_compressed: bool,
        length: u32,
    ) -> Result<(), Status> {
        let (is_compressed, length) = match read {
            0 => (byte != 0, 0),
            _ => (is_compressed, length << 8 | u32::from(byte)),
        };
        if read < 4 {
            self.place = Place::Prefix {
                read: read + 1,
                is_compressed,
                length,
            };
            return Ok(());
        }
        // The bound is one of each message, since the decoder holds one at a time.
        (self.at, self.values) = (0, 0);
        self.inside.push((self.root, length.into()));
        // A compressed message is refused by the decoder.
        self.skip(if is_compressed { length.into() } else { 0 })
    }

    /// Parses a byte of a varint.
    fn digit(&mut self, byte: u8) -> Result<(), Status> {
        if self.left() == 0 {
            return Err(malformed());
        }
        self.at += 1;
        // The tenth byte shifts by 63, and what it has beyond bit 63 is dropped:
        // prost refuses such a number when it decodes the message.
        self.number |= u64::from(byte & 0x7f).checked_shl(self.shift).unwrap_or(0);
        self.shift += 7;
        if byte >= 0x80 {
            return match self.shift {
                0..70 => Ok(()),
                _ => Err(malformed()),
            };
        }
        let number = std::mem::take(&mut self.number);
        self.shift = 0;
        match self.place {
            Place::Key => self.key(number),
            Place::Length { field } => self.length(field, number),
            _ => self.skip(0),
        }
    }

    fn key(&mut self, key: u64) -> Result<(), Status> {
        self.values += 1;
        if self.values > REQUEST_VALUES {
            return Err(Error::too_many_values().into());
        }
        match key & 7 {
            0 => self.place = Place::Number,
            1 => return self.skip(8),
            2 => self.place = Place::Length { field: key >> 3 },
            // The delimiters of a group, whose fields are counted as any.
            3 | 4 => return self.skip(0),
            5 => return self.skip(4),
            _ => return Err(malformed()),
        }
        Ok(())
    }

    fn length(&mut self, field: u64, length: u64) -> Result<(), Status> {
        let message = self.inside.last().map(|(message, _)| *message);
        match message.and_then(|message| SCHEMA.messages[message].get(&field)) {
            // A length is the client's: one beyond the enclosing message ends in `skip` as
            // malformed.
            Some(inner) if length <= self.left() => {
                self.inside.push((*inner, self.at + length));
                self.skip(0)
            }
            _ => self.skip(length),
        }
    }

    /// Returns how many bytes of the innermost message are missing.
    fn left(&self) -> u64 {
        let end = self.inside.last().map_or(0, |(_, end)| *end);
        end.saturating_sub(self.at)
    }

    /// Skips this many bytes, and then leaves every message that ends here.
    fn skip(&mut self, length: u64) -> Result<(), Status> {
        if length > self.left() {
            return Err(malformed());
        }
        if length > 0 {
            self.place = Place::Bytes(length);
            return Ok(());
        }
        self.place = Place::Key;
        while !self.inside.is_empty() && self.left() == 0 {
            self.inside.pop();
        }
        if self.inside.is_empty() {
            self.place = PREFIX;
        }
        Ok(())
    }
}

/// Returns the status of a message that cannot be decoded.
fn malformed() -> Status {
    Status::internal("the message is malformed")
}

/// The fields that hold messages.
struct Schema {
    /// The fields of each message that hold a message, except for maps.
    messages: Vec<HashMap<u64, usize>>,
    /// The request type of each method, by its path.
    methods: HashMap<String, usize>,
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let set = FileDescriptorSet::decode(pb::FILE_DESCRIPTOR_SET);
    Schema::of(&set.expect("the descriptors were generated with the services"))
});

impl Schema {
    fn of(set: &FileDescriptorSet) -> Self {
        let mut found = Vec::new();
        for file in &set.file {
            collect(
                &format!(".{}", file.package()),
                &file.message_type,
                &mut found,
            );
        }
        let index = |name: &str| found.iter().position(|(known, _)| known == name);
        let fields = |(_, message): &(String, &DescriptorProto)| {
            let fields = message.field.iter().filter_map(|field| {
                let inner = index(field.type_name())?;
                let options = found[inner].1.options.as_ref();
                // The compiler makes an entry of a map a nested message with two fields; the limit
                // counts it once.
                let is_map = options.is_some_and(|options| options.map_entry());
                (!is_map).then_some((u64::try_from(field.number()).ok()?, inner))
            });
            fields.collect()
        };
        let mut methods = HashMap::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let (package, service) = (file.package(), service.name());
                    let path = format!("/{package}.{service}/{}", method.name());
                    methods.extend(index(method.input_type()).map(|input| (path, input)));
                }
            }
        }
        Self {
            messages: found.iter().map(fields).collect(),
            methods,
        }
    }
}

/// Collects messages, and the messages nested in them, by their full names.
fn collect<'a>(
    scope: &str,
    messages: &'a [DescriptorProto],
    found: &mut Vec<(String, &'a DescriptorProto)>,
) {
    for message in messages {
        let name = format!("{scope}.{}", message.name());
        collect(&name, &message.nested_type, found);
        found.push((name, message));
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    /// Returns the result for messages, which must not depend on how they are split.
    fn outline(method: &str, messages: &[&[u8]]) -> Result<(), Code> {
        let prefixed = |message: &&[u8]| {
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            [&[0][..], &length, message].concat()
        };
        let bytes: Vec<u8> = messages.iter().flat_map(prefixed).collect();
        let whole = Outline::of(method).unwrap().feed(&bytes);
        let mut outline = Outline::of(method).unwrap();
        let bytewise = bytes.chunks(1).try_for_each(|byte| outline.feed(byte));
        let [whole, bytewise] = [whole, bytewise].map(|fed| fed.map_err(|status| status.code()));
        assert_eq!(whole, bytewise);
        if whole.is_ok() {
            assert!(outline.inside.is_empty());
        }
        whole
    }

    const RUN_CODE: &str = "/sandbox.process.v1.CodeService/RunCode";
    const EXEC: &str = "/sandbox.process.v1.ExecService/Exec";

    fn code(count: usize) -> pb::RunCodeRequest {
        let envs = (0..count).map(|index| (format!("A{index}"), String::new()));
        pb::RunCodeRequest {
            code: "\n".repeat(3 * REQUEST_VALUES),
            language: "python".to_owned(),
            options: Some(pb::RunOptions {
                envs: envs.collect(),
                timeout: Some(prost_types::Duration {
                    seconds: 1,
                    nanos: 2,
                }),
                ..pb::RunOptions::default()
            }),
            ..pb::RunCodeRequest::default()
        }
    }

    #[test]
    fn values_of_calls_are_counted_where_they_are_values() {
        // The code, the language, the options and their fields; the seconds and nanoseconds of the time limit.
        let own = 4 + 2;
        let most = code(REQUEST_VALUES - own).encode_to_vec();
        let more = code(REQUEST_VALUES - own + 1).encode_to_vec();
        assert_eq!(outline(RUN_CODE, &[&most, &most]), Ok(()));
        let refused = Err(Code::ResourceExhausted);
        assert_eq!(outline(RUN_CODE, &[&most, &more]), refused);
        let argv = pb::ExecRequest {
            message: Some(pb::exec_request::Message::Start(pb::ExecStart {
                program: Some(pb::exec_start::Program::Argv(pb::exec_start::Argv {
                    args: vec![String::new(); REQUEST_VALUES],
                })),
                ..pb::ExecStart::default()
            })),
        };
        assert_eq!(outline(EXEC, &[&argv.encode_to_vec()]), refused);
    }

    #[test]
    fn malformed_messages_are_refused() {
        for bytes in [
            &b"\x0a\x05a"[..],
            b"\x0f",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x22\x02\x0a\x01",
            b"\x09\0",
            b"\x08\x80",
        ] {
            assert_eq!(
                outline(RUN_CODE, &[bytes, b""]),
                Err(Code::Internal),
                "{bytes:?}"
            );
        }
        assert_eq!(outline(RUN_CODE, &[b"", b"\x0b\x08\x01\x0c", b""]), Ok(()));
        assert!(Outline::of("/sandbox.process.v1.CodeService/None").is_none());
    }
}
