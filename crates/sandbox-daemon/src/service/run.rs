//! A run that is over.

use bytes::Bytes;
use sandbox_engine::record::Record;
use sandbox_engine::{OutputMode, Recorded, Termination};

/// A run that is over. Cheap to clone: its output is in its record.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) termination: Termination,
    pub(crate) record: Record,
    pub(crate) output: OutputMode,
    /// The charts that were shown, one JSON object each.
    pub(crate) artifacts: Vec<Bytes>,
    /// Charts that were too large to retain.
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "a field of gRPC's"))]
    pub(crate) artifacts_dropped: usize,
}

impl From<Recorded> for Run {
    fn from(run: Recorded) -> Self {
        Self {
            termination: run.termination,
            record: run.record,
            output: run.output,
            artifacts: run.artifacts,
            artifacts_dropped: run.artifacts_dropped,
        }
    }
}

impl Run {
    /// Returns how many bytes it holds, in memory or in files.
    pub(super) fn bytes(&self) -> u64 {
        let artifacts = self.artifacts.iter().map(|chart| chart.len() as u64);
        self.record.length() + artifacts.sum::<u64>()
    }
}
