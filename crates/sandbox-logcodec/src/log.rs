//! Whole logs: taken apart, put together, and read as the SDKs' three texts.

use std::borrow::Cow;

use crate::channel::Channel;
use crate::marker;
use crate::render::Renderer;

/// Splits a complete log into the bytes of its two channels, `(stdout, stderr)`.
///
/// The leftmost marker wins, again and again; of a run of equal marker bytes the first three are the marker. Bytes before
/// the first marker belong to no channel and are left out. Every input is a log, so this never fails.
///
/// # Examples
///
/// ```
/// let (stdout, stderr) = sandbox_logcodec::demux_log(b"\x01\x01\x01hello\n\x02\x02\x02oops\n");
/// assert_eq!(stdout, b"hello\n");
/// assert_eq!(stderr, b"oops\n");
/// ```
pub fn demux_log(log: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut outputs = [Vec::new(), Vec::new()];
    let mut channel: Option<Channel> = None;
    let mut rest = log;
    loop {
        let found = marker::find(rest);
        let length = found.map_or(rest.len(), |(at, _)| at);
        if let Some(channel) = channel {
            outputs[channel.index()].extend_from_slice(&rest[..length]);
        }
        let Some((at, next)) = found else { break };
        channel = Some(next);
        rest = &rest[at + marker::LENGTH..];
    }
    let [stdout, stderr] = outputs;
    (stdout, stderr)
}

/// Joins records into a complete log, from which [`demux_log`] takes back every byte.
///
/// Whatever the records hold, no byte is lost or changes its channel, and both channels keep the order in which they were
/// written. This is for responses that carry a whole log; for messages to followers there is [`Encoder`](crate::Encoder).
///
/// The log is at most seven times as long as the payload; for text it has three bytes more for each change of channel.
///
/// # Examples
///
/// ```
/// use sandbox_logcodec::{Channel, demux_log, mux_log};
///
/// let log = mux_log([(Channel::Stdout, b"a".as_slice()), (Channel::Stderr, b"\x01\x01\x01")]);
/// assert_eq!(demux_log(&log), (b"a".to_vec(), b"\x01\x01\x01".to_vec()));
/// ```
pub fn mux_log<'a>(records: impl IntoIterator<Item = (Channel, &'a [u8])>) -> Vec<u8> {
    let mut writer = LogWriter::new();
    let mut log = Vec::new();
    for (channel, payload) in records {
        writer.write(channel, payload, &mut log);
    }
    log
}

/// Writes a log piece by piece: joined, the pieces are what [`mux_log`] returns, however the payload is cut.
///
/// # Examples
///
/// ```
/// use sandbox_logcodec::{Channel, LogWriter, mux_log};
///
/// let mut writer = LogWriter::new();
/// let mut log = Vec::new();
/// writer.write(Channel::Stdout, b"a", &mut log);
/// writer.write(Channel::Stdout, b"b", &mut log);
/// assert_eq!(log, mux_log([(Channel::Stdout, b"ab".as_slice())]));
/// ```
#[derive(Debug, Clone, Default)]
pub struct LogWriter {
    renderer: Renderer,
}

impl LogWriter {
    /// Makes a writer that stands at the beginning of a log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends payload of one channel to `log`, with the markers that it needs after what was written before.
    pub fn write(&mut self, channel: Channel, payload: &[u8], log: &mut Vec<u8>) {
        self.renderer.write(channel, payload, log);
    }
}

/// Splits a complete log, and keeps it whole beside its parts.
///
/// The parts are those of [`demux_log`]. The SDKs have these three as text; here they are bytes, with the text one call
/// away.
///
/// # Examples
///
/// ```
/// let logs = sandbox_logcodec::parse_session_command_logs(b"\x01\x01\x01caf\xc3\xa9 \xff\n");
/// assert_eq!(logs.stdout, b"caf\xc3\xa9 \xff\n");
/// assert_eq!(logs.stdout_lossy(), "café \u{FFFD}\n");
/// assert!(logs.stderr.is_empty());
/// ```
pub fn parse_session_command_logs(log: &[u8]) -> SessionCommandLogs {
    let (stdout, stderr) = demux_log(log);
    SessionCommandLogs {
        output: log.to_vec(),
        stdout,
        stderr,
    }
}

/// The log of a session's command, whole and split.
///
/// The bytes are as they came. The `_lossy` methods read them as UTF-8 by the rule of [`String::from_utf8_lossy`]: each
/// longest piece that begins a character but does not go on as one, and each byte that cannot begin one, becomes one
/// U+FFFD. That is what the stock streaming clients do; their functions for a complete log drop such bytes instead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionCommandLogs {
    /// The log as it was, markers included.
    pub output: Vec<u8>,
    /// What the command wrote to standard output.
    pub stdout: Vec<u8>,
    /// What the command wrote to standard error.
    pub stderr: Vec<u8>,
}

impl SessionCommandLogs {
    /// Returns the whole log as text, markers included.
    pub fn output_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.output)
    }

    /// Returns standard output as text.
    pub fn stdout_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Returns standard error as text.
    pub fn stderr_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Channel::{Stderr, Stdout};

    #[test]
    fn logs_are_split_at_the_leftmost_marker() {
        let check = |log: &[u8], stdout: &[u8], stderr: &[u8]| {
            assert_eq!(
                demux_log(log),
                (stdout.to_vec(), stderr.to_vec()),
                "{log:?}"
            );
        };
        check(b"", b"", b"");
        check(b"nobody's", b"", b"");
        check(b"nobody's\x02\x02\x02b", b"", b"b");
        check(b"\x01\x01\x01a\x02\x02\x02b\x01\x01\x01c", b"ac", b"b");
        check(b"\x01\x01\x01\x01", b"\x01", b"");
        check(b"\x01\x01\x02\x02\x02\x02b", b"", b"\x02b");
        check(b"\x01\x01\x01a\x01\x01", b"a\x01\x01", b"");
        check(b"\x01\x01\x01\0\xff\n", b"\0\xff\n", b"");
    }

    #[test]
    fn joined_logs_have_as_few_markers_as_can_be() {
        let check = |records: &[(Channel, &[u8])], expect: &[u8]| {
            assert_eq!(mux_log(records.iter().copied()), expect, "{records:?}");
        };
        check(&[], b"");
        check(&[(Stdout, b""), (Stderr, b"")], b"");
        check(&[(Stdout, b"a"), (Stdout, b"b")], b"\x01\x01\x01ab");
        check(
            &[(Stdout, b"a"), (Stderr, b"b")],
            b"\x01\x01\x01a\x02\x02\x02b",
        );
        check(
            &[(Stdout, b"\x01"), (Stdout, b"\x01\x01")],
            b"\x01\x01\x01\x01\x01\x02\x02\x02\x01\x01\x01\x01",
        );
        check(
            &[(Stdout, b"\x02\x02\x02")],
            b"\x01\x01\x01\x02\x02\x01\x01\x01\x02",
        );
        check(
            &[(Stdout, b"a\x02"), (Stderr, b"b")],
            b"\x01\x01\x01a\x02\x01\x01\x01\x02\x02\x02b",
        );
    }

    #[test]
    fn text_is_lossy_and_bytes_are_not() {
        let log = b"\x01\x01\x01\xf0\x9f\x98\x02\x02\x02\xed\xa0\x80x";
        let logs = parse_session_command_logs(log);
        assert_eq!(logs.output, log);
        assert_eq!(logs.stdout, b"\xf0\x9f\x98");
        assert_eq!(logs.stdout_lossy(), "\u{FFFD}");
        assert_eq!(logs.stderr_lossy(), "\u{FFFD}\u{FFFD}\u{FFFD}x");
        assert_eq!(
            logs.output_lossy(),
            "\x01\x01\x01\u{FFFD}\x02\x02\x02\u{FFFD}\u{FFFD}\u{FFFD}x"
        );
    }
}
