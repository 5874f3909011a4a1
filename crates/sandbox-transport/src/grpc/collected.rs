//! An output that comes in chunks and gaps, as one answer holds it.

use std::ops::Deref;

use sandbox_wire::pb;

use super::output::Position;
use crate::{Error, collected};

/// The beginning and the end of an output.
#[derive(Debug)]
pub(super) struct Collected {
    position: Position,
    output: collected::Collected,
}

impl Collected {
    pub(super) fn new() -> Self {
        Self {
            position: Position::new(0),
            output: collected::Collected::new(),
        }
    }

    /// Takes what a chunk brings.
    pub(super) fn chunk(&mut self, chunk: pb::OutputChunk) -> Result<(), Error> {
        let events = self.position.chunk(chunk)?;
        events
            .iter()
            .flatten()
            .for_each(|event| self.output.push(event));
        Ok(())
    }

    /// Takes what a gap tells.
    pub(super) fn gap(&mut self, gap: pb::Gap) -> Result<(), Error> {
        let event = self.position.gap(gap)?;
        event.iter().for_each(|event| self.output.push(event));
        Ok(())
    }
}

impl Deref for Collected {
    type Target = collected::Collected;

    fn deref(&self) -> &collected::Collected {
        &self.output
    }
}
