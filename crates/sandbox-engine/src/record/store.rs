//! Creates records and manages the space of those that exceed their memory.

use std::sync::Arc;

use super::Record;
use super::log::Log;
use super::spool::Spool;
use crate::limits::{RECORD_MEMORY_BYTES, RECORD_SPILL_BYTES, RECORDS_BYTES};
use crate::state::State;

/// A factory of records that share files. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    spool: Arc<Spool>,
    memory: usize,
    spill: u64,
}

impl Store {
    /// Creates a store; `bytes` bounds all records on disk together, [`RECORDS_BYTES`] if `None`.
    pub(crate) fn new(state: State, bytes: Option<u64>) -> Self {
        let bytes = bytes.unwrap_or(RECORDS_BYTES);
        Self::with_limits(state, RECORD_MEMORY_BYTES, RECORD_SPILL_BYTES, bytes)
    }

    pub(super) fn with_limits(state: State, memory: usize, spill: u64, bytes: u64) -> Self {
        Self {
            inner: Arc::new(Inner {
                spool: Arc::new(Spool::new(state, bytes)),
                memory,
                spill,
            }),
        }
    }

    #[cfg(test)]
    pub(super) fn spool(&self) -> &Spool {
        &self.inner.spool
    }

    pub(crate) fn record(&self) -> Record {
        let Inner { memory, spill, .. } = *self.inner;
        Record::from_log(Log::new(memory, spill, self.spool_handle()))
    }

    /// Creates a record that is read once, as soon as it is complete: until then `bytes` are retained in memory, and as many in
    /// a file. What is appended after that is dropped.
    pub(crate) fn record_to_read(&self, bytes: usize) -> Record {
        let log = Log::new(bytes, bytes as u64, self.spool_handle());
        Record::from_log(log.read_once())
    }

    /// Creates a record that retains only its newest bytes, `memory` of them with their bookkeeping, and has no file.
    pub(crate) fn ring(&self, memory: usize) -> Record {
        Record::from_log(Log::ring(memory, self.spool_handle()))
    }

    fn spool_handle(&self) -> Arc<Spool> {
        Arc::clone(&self.inner.spool)
    }
}
