//! An output of bounded size, collected from a stream.

use sandbox_logcodec::{BoundedLog, Channel};

use crate::limits::RESPONSE_OUTPUT_BYTES;
use crate::model::{CommandOutput, Truncation};

/// The output of a run, collected from the events of a stream.
///
/// Holds at most [`RESPONSE_OUTPUT_BYTES`]. Of a longer output, the first half and the last half of that are retained; what lies
/// between them is counted.
///
/// # Examples
///
/// ```
/// use sandbox_transport::{Channel, Collected};
///
/// let mut output = Collected::new();
/// output.push(Channel::Stdout, b"out\n");
/// output.push(Channel::Stderr, b"err\n");
/// assert_eq!(output.combined().combined, "out\nerr\n");
/// assert_eq!(output.output().stderr.unwrap(), "err\n");
/// ```
#[derive(Debug)]
pub struct Collected(BoundedLog);

impl Default for Collected {
    fn default() -> Self {
        Self::new()
    }
}

impl Collected {
    /// Creates an empty output.
    pub fn new() -> Self {
        Self(BoundedLog::new(RESPONSE_OUTPUT_BYTES))
    }

    /// Appends bytes that were written to `channel`.
    pub fn push(&mut self, channel: Channel, bytes: &[u8]) {
        self.0.push(channel, bytes);
    }

    /// Appends a gap: `length` bytes of either channel that the daemon no longer has.
    pub fn skip(&mut self, length: u64) {
        self.0.skip(length);
    }

    /// Returns the output, together and of each channel, with a line in place of what is missing.
    pub fn output(&self) -> CommandOutput {
        let of = |channel| Some(self.0.with_notice(Some(channel)).into());
        CommandOutput {
            combined: self.0.with_notice(None).into(),
            stdout: of(Channel::Stdout),
            stderr: of(Channel::Stderr),
            truncation: self.truncation(),
        }
    }

    /// Returns the output without that of each channel: [`stdout`](CommandOutput::stdout) and [`stderr`](CommandOutput::stderr)
    /// are `None`.
    pub fn combined(&self) -> CommandOutput {
        CommandOutput {
            combined: self.0.with_notice(None).into(),
            stdout: None,
            stderr: None,
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
        let pieces = RESPONSE_OUTPUT_BYTES / piece.len() + 9;
        log.push(Channel::Stdout, b"begin ");
        for _ in 0..pieces {
            log.push(Channel::Stdout, &piece);
        }
        log.push(Channel::Stderr, b" end");
        let output = log.output();
        let text = output.text();
        assert!(text.starts_with("begin x") && text.ends_with("x end"));
        assert!(output.stderr.unwrap().ends_with(b" end"));
        let truncation = output.truncation.unwrap();
        assert_eq!(truncation.total_bytes, (10 + pieces * piece.len()) as u64);
        let kept = truncation.total_bytes - truncation.dropped_bytes;
        assert!(kept <= RESPONSE_OUTPUT_BYTES as u64, "{kept}");
    }
}
