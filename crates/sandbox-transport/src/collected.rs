//! An output as one response holds it.

use sandbox_logcodec::{BoundedLog, Channel};

use crate::limits::ANSWER_OUTPUT_BYTES;
use crate::model::{CommandOutput, Truncation};

/// The beginning and the end of an output.
#[derive(Debug)]
pub(crate) struct Collected(BoundedLog);

impl Collected {
    pub(crate) fn new() -> Self {
        Self(BoundedLog::new(ANSWER_OUTPUT_BYTES))
    }

    /// Adds what was written next.
    pub(crate) fn push(&mut self, channel: Channel, bytes: &[u8]) {
        self.0.push(channel, bytes);
    }

    /// Adds a gap of `length` bytes.
    pub(crate) fn skip(&mut self, length: u64) {
        self.0.skip(length);
    }

    /// Returns the output of a command or program, with a line that says where something is missing.
    pub(crate) fn output(&self, is_split: bool) -> CommandOutput {
        let of = |channel| is_split.then(|| self.0.with_notice(Some(channel)).into());
        CommandOutput {
            combined: self.0.with_notice(None).into(),
            stdout: of(Channel::Stdout),
            stderr: of(Channel::Stderr),
            truncation: self.truncation(),
        }
    }

    /// Returns the output of a session's command, with markers.
    #[cfg(feature = "grpc")]
    pub(crate) fn marked(&self) -> CommandOutput {
        let of = |channel| Some(self.0.channel(channel).into());
        CommandOutput {
            combined: self.0.mux().into(),
            stdout: of(Channel::Stdout),
            stderr: of(Channel::Stderr),
            truncation: self.truncation(),
        }
    }

    fn truncation(&self) -> Option<Truncation> {
        (self.0.dropped_bytes() > 0).then(|| Truncation {
            total_bytes: self.0.total_bytes(),
            dropped_bytes: self.0.dropped_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_outputs_keep_both_ends() {
        let mut log = Collected::new();
        let piece = vec![b'x'; 1024 * 1024];
        let pieces = ANSWER_OUTPUT_BYTES / piece.len() + 9;
        log.push(Channel::Stdout, b"begin ");
        for _ in 0..pieces {
            log.push(Channel::Stdout, &piece);
        }
        log.push(Channel::Stderr, b" end");
        let output = log.output(true);
        let text = output.text();
        assert!(text.starts_with("begin x") && text.ends_with("x end"));
        assert!(output.stderr.unwrap().ends_with(b" end"));
        let truncation = output.truncation.unwrap();
        assert_eq!(truncation.total_bytes, (10 + pieces * piece.len()) as u64);
        let kept = truncation.total_bytes - truncation.dropped_bytes;
        assert!(kept <= ANSWER_OUTPUT_BYTES as u64, "{kept}");
    }
}
