//! Messages between the engine and a worker; `python/worker.py` describes them, and `node/worker/` one more.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use bytes::{Buf, Bytes, BytesMut};
use tokio::net::unix::pipe;

use super::execution::{Failure, Form};
use crate::limits::REPORT_BYTES;

/// A message from a worker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The worker accepts code.
    Begun,
    /// The worker waits until all its output has been read.
    Sync,
    /// The value of the last expression.
    Value(Vec<Form>),
    /// An exception that was not caught.
    Failed(Failure),
    /// The code has ended, and all its output is in the pipes.
    Done,
    /// The files that the worker has read since its start.
    Files(Vec<PathBuf>),
}

/// Returns the response to a [`Report::Sync`].
pub(super) fn synced() -> Bytes {
    message(b'S', [])
}

/// Returns the message that interrupts a worker which handles no signals while it is busy.
pub(super) fn interrupt() -> Bytes {
    message(b'I', [])
}

/// Returns the message that requests the paths of the files that a worker has read, by a script that finds them; without
/// one the worker only responds.
pub(super) fn files(script: Option<&str>) -> Bytes {
    message(b'F', script.map(str::as_bytes))
}

/// Returns the message that makes a worker run code.
pub(super) fn run(code: &str, shows_value: bool, env: &[(String, String)]) -> Bytes {
    let shows: &[u8] = if shows_value { b"1" } else { b"" };
    let variables = env
        .iter()
        .flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    message(b'R', [code.as_bytes(), shows].into_iter().chain(variables))
}

/// Returns a message of fields. Texts longer than 4 GiB do not occur here: a request is far smaller.
pub(crate) fn message<'a>(kind: u8, fields: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut body = vec![kind];
    for field in fields {
        body.extend_from_slice(&length(field));
        body.extend_from_slice(field);
    }
    let mut message = length(&body).to_vec();
    message.append(&mut body);
    message.into()
}

/// A reader of a worker's reports.
#[derive(Debug)]
pub(super) struct Reports {
    pipe: pipe::Receiver,
    buffer: BytesMut,
}

impl Reports {
    pub(super) fn new(pipe: pipe::Receiver) -> Self {
        Self {
            pipe,
            buffer: BytesMut::new(),
        }
    }

    /// Waits for the next report. Cancel safe.
    ///
    /// # Errors
    ///
    /// Returns the errors of the pipe; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) after the worker has closed it;
    /// and [`InvalidData`](io::ErrorKind::InvalidData) for messages that our workers do not send.
    pub(super) async fn next(&mut self) -> io::Result<Report> {
        loop {
            if let Some(report) = whole(&mut self.buffer)? {
                return Ok(report);
            }
            self.pipe.readable().await?;
            self.read()?;
        }
    }

    /// Returns the next report, if it is in the pipe.
    pub(super) fn ready(&mut self) -> io::Result<Option<Report>> {
        loop {
            if let Some(report) = whole(&mut self.buffer)? {
                return Ok(Some(report));
            }
            let before = self.buffer.len();
            self.buffer.resize(before + READ_BYTES, 0);
            // Asks the kernel: the runtime may not have been notified yet that there is more.
            let read = rustix::io::read(&self.pipe, &mut self.buffer[before..]);
            self.buffer.truncate(before + read.unwrap_or(0));
            match read {
                Ok(0) | Err(rustix::io::Errno::AGAIN) => return Ok(None),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        self.buffer.reserve(READ_BYTES);
        match self.pipe.try_read_buf(&mut self.buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Removes a report from the buffer if it is complete.
pub(crate) fn whole(buffer: &mut BytesMut) -> io::Result<Option<Report>> {
    let Some(length) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length) as usize;
    // Checked before the bytes are awaited: code in the worker can write to this pipe, too. Without
    // a byte there is no kind, and `get_u8` panics.
    if length == 0 || length > REPORT_BYTES {
        return Err(nonsense());
    }
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    buffer.advance(4);
    let mut body = buffer.split_to(length).freeze();
    let kind = body.get_u8();
    let mut fields = Vec::new();
    while !body.is_empty() {
        let length = body.try_get_u32_le().map_err(|_| nonsense())? as usize;
        if body.len() < length {
            return Err(nonsense());
        }
        fields.push(body.split_to(length));
    }
    match (kind, fields.as_slice()) {
        (b'B', []) => Ok(Report::Begun),
        (b'S', []) => Ok(Report::Sync),
        (b'D', []) => Ok(Report::Done),
        (b'F', paths) => {
            let path = |path: &Bytes| OsString::from_vec(path.to_vec()).into();
            Ok(Report::Files(paths.iter().map(path).collect()))
        }
        (b'E', [name, value, traceback]) => Ok(Report::Failed(Failure {
            name: lossy(name),
            value: lossy(value),
            traceback: lossy(traceback),
        })),
        (b'V', forms) => forms
            .chunks(2)
            .map(form)
            .collect::<io::Result<_>>()
            .map(Report::Value),
        _ => Err(nonsense()),
    }
    .map(Some)
}

fn form(fields: &[Bytes]) -> io::Result<Form> {
    let [media_type, content] = fields else {
        return Err(nonsense());
    };
    let media_type = lossy(media_type);
    match content.split_first() {
        Some((b'1', _)) => Ok(Form {
            media_type,
            content: Ok(content.slice(1..)),
        }),
        Some((b'0', length)) => {
            let length = std::str::from_utf8(length)
                .ok()
                .and_then(|text| text.parse().ok());
            Ok(Form {
                media_type,
                content: Err(length.ok_or_else(nonsense)?),
            })
        }
        _ => Err(nonsense()),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn nonsense() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the worker sent an invalid message",
    )
}

const READ_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Report> {
        let (far, near) = rustix::pipe::pipe_with(
            rustix::pipe::PipeFlags::CLOEXEC | rustix::pipe::PipeFlags::NONBLOCK,
        )?;
        std::fs::File::from(near).write_all(bytes)?;
        Reports::new(pipe::Receiver::from_owned_fd(far)?)
            .next()
            .await
    }

    #[tokio::test]
    async fn reports_are_read_and_nonsense_is_refused() {
        let kind =
            |bytes: &'static [u8]| async move { read(bytes).await.map_err(|error| error.kind()) };
        assert_eq!(kind(b"\x01\0\0\0D").await, Ok(Report::Done));
        let value = Report::Value(vec![
            Form {
                media_type: "a".into(),
                content: Ok("b".into()),
            },
            Form {
                media_type: "c".into(),
                content: Err(12),
            },
        ]);
        let fields: [&[u8]; 4] = [b"a", b"1b", b"c", b"012"];
        let written = message(b'V', fields);
        assert_eq!(read(&written).await.unwrap(), value);
        let invalid = Err(io::ErrorKind::InvalidData);
        for bytes in [
            &b"\0\0\0\0"[..],
            b"\xff\xff\xff\xff",
            b"\x01\0\0\0?",
            b"\x03\0\0\0Dab",
            b"\x06\0\0\0D\x09\0\0\0a",
            b"\x07\0\0\0V\x02\0\0\0ab",
        ] {
            assert_eq!(kind(bytes).await, invalid, "{bytes:?}");
        }
        assert_eq!(kind(b"\x02\0\0").await, Err(io::ErrorKind::UnexpectedEof));
    }
}
