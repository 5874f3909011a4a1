//! Output from the messages that contain it.

use sandbox_logcodec::Channel;
use sandbox_wire::pb;

use crate::collected::Collected;
use crate::model::CommandOutput;
use crate::{Delivery, Error, ErrorKind, LogEvent};

/// The position of a reader of a record. Every byte is returned exactly once, in order, and gaps are reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position(u64);

impl Position {
    pub(super) fn new(offset: u64) -> Self {
        Self(offset)
    }

    /// Returns the offset of the next event.
    pub(super) fn offset(self) -> u64 {
        self.0
    }

    /// Returns the events of a chunk: first the gap before it, if there is one, then the output.
    pub(super) fn chunk(&mut self, chunk: pb::OutputChunk) -> Result<[Option<LogEvent>; 2], Error> {
        let channel = match chunk.channel() {
            // Combined output counts as stdout, as over HTTP.
            pb::Channel::Stdout | pb::Channel::Combined | pb::Channel::Unspecified => {
                Channel::Stdout
            }
            pb::Channel::Stderr => Channel::Stderr,
        };
        // The offsets are a peer's: none may overflow, or go back.
        let gap = self.until(chunk.offset)?;
        self.0 = self
            .0
            .checked_add(chunk.data.len() as u64)
            .ok_or_else(bad)?;
        let output = (!chunk.data.is_empty()).then_some(LogEvent::Output {
            channel,
            offset: chunk.offset,
            bytes: chunk.data,
        });
        Ok([gap, output])
    }

    /// Returns the event of a gap.
    pub(super) fn gap(&mut self, gap: pb::Gap) -> Result<Option<LogEvent>, Error> {
        let end = gap.offset.checked_add(gap.length).ok_or_else(bad)?;
        // It contradicts bytes that were returned; `until` alone would accept its rest.
        if gap.offset < self.0 {
            return Err(bad());
        }
        self.until(end)
    }

    fn until(&mut self, offset: u64) -> Result<Option<LogEvent>, Error> {
        let length = offset.checked_sub(self.0).ok_or_else(bad)?;
        let begin = std::mem::replace(&mut self.0, offset);
        Ok((length > 0).then_some(LogEvent::Gap {
            offset: begin,
            length,
        }))
    }
}

/// The output of one response, collected from chunks and gaps.
#[derive(Debug)]
pub(super) struct Gathered {
    position: Position,
    output: Collected,
}

impl Gathered {
    pub(super) fn new() -> Self {
        Self {
            position: Position::new(0),
            output: Collected::new(),
        }
    }

    /// Adds a chunk.
    pub(super) fn chunk(&mut self, chunk: pb::OutputChunk) -> Result<(), Error> {
        let events = self.position.chunk(chunk)?;
        events
            .into_iter()
            .flatten()
            .for_each(|event| self.add(event));
        Ok(())
    }

    /// Adds a gap.
    pub(super) fn gap(&mut self, gap: pb::Gap) -> Result<(), Error> {
        let event = self.position.gap(gap)?;
        event.into_iter().for_each(|event| self.add(event));
        Ok(())
    }

    fn add(&mut self, event: LogEvent) {
        match event {
            LogEvent::Output { channel, bytes, .. } => self.output.push(channel, &bytes),
            LogEvent::Gap { length, .. } => self.output.skip(length),
        }
    }

    /// Returns the output of a command or program.
    pub(super) fn output(&self, is_split: bool) -> CommandOutput {
        if is_split {
            self.output.output()
        } else {
            self.output.combined()
        }
    }

    /// Returns the output of a session's command.
    pub(super) fn marked(&self) -> CommandOutput {
        self.output.marked()
    }
}

fn bad() -> Error {
    let message = "the output came from before where it was asked for";
    Error::new(ErrorKind::Protocol, Delivery::Uncertain, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(offset: u64, data: &'static [u8]) -> pb::OutputChunk {
        pb::OutputChunk {
            channel: pb::Channel::Stderr.into(),
            offset,
            data: data.into(),
        }
    }

    #[test]
    fn nothing_is_missing_silently() {
        let mut position = Position::new(3);
        let [gap, output] = position.chunk(chunk(3, b"abc")).unwrap();
        assert_eq!(gap, None);
        let expect = LogEvent::Output {
            channel: Channel::Stderr,
            offset: 3,
            bytes: "abc".into(),
        };
        assert_eq!(output, Some(expect));
        let [gap, output] = position.chunk(chunk(8, b"")).unwrap();
        let expect = LogEvent::Gap {
            offset: 6,
            length: 2,
        };
        assert_eq!((gap, output), (Some(expect), None));
        let received = pb::Gap {
            offset: 8,
            length: 5,
        };
        assert!(position.gap(received).unwrap().is_some());
        assert_eq!(position.offset(), 13);
    }

    #[test]
    fn nothing_comes_twice() {
        let mut position = Position::new(3);
        assert!(position.chunk(chunk(2, b"abc")).is_err());
        assert!(position.chunk(chunk(u64::MAX, b"a")).is_err());
        let gap = |offset, length| pb::Gap { offset, length };
        assert!(Position::new(3).gap(gap(2, 5)).is_err());
        assert!(Position::new(3).gap(gap(5, u64::MAX)).is_err());
    }
}
