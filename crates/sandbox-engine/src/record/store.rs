//! Where records go that outgrow their memory.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;

use super::Record;
use super::log::Log;
use super::spill::Spill;
use crate::limits::{RECORD_MEMORY_BYTES, RECORD_SPILL_BYTES};

/// Makes records that share a directory. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Where the directory is made; the system's place for temporary files if `None`.
    parent: Option<PathBuf>,
    /// Made when it is first needed.
    directory: Mutex<Option<TempDir>>,
    next: AtomicU64,
    memory: usize,
    spill: u64,
}

impl Store {
    pub(crate) fn new(parent: Option<PathBuf>) -> Self {
        Self::with_limits(parent, RECORD_MEMORY_BYTES, RECORD_SPILL_BYTES)
    }

    pub(super) fn with_limits(parent: Option<PathBuf>, memory: usize, spill: u64) -> Self {
        Self {
            inner: Arc::new(Inner {
                parent,
                directory: Mutex::new(None),
                next: AtomicU64::new(0),
                memory,
                spill,
            }),
        }
    }

    pub(crate) fn record(&self) -> Record {
        let Inner { memory, spill, .. } = *self.inner;
        Record::from_log(Log::new(memory, spill, self.clone()))
    }

    /// A record that is read once, as soon as it is complete: so many bytes are kept in memory till then, and as many in a
    /// file.
    pub(crate) fn record_to_read(&self, bytes: usize) -> Record {
        let log = Log::new(bytes, bytes as u64, self.clone());
        Record::from_log(log.unsettled())
    }

    /// A record that keeps its newest bytes only, so many with their bookkeeping, and has no file.
    pub(crate) fn ring(&self, memory: usize) -> Record {
        Record::from_log(Log::ring(memory, self.clone()))
    }

    /// Makes the file of one record.
    pub(super) fn create(&self, limit: u64) -> io::Result<Spill> {
        let mut directory = self
            .inner
            .directory
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let directory = match &mut *directory {
            Some(directory) => directory,
            none => {
                let mut builder = tempfile::Builder::new();
                let builder = builder.prefix("sandbox-records-");
                none.insert(match &self.inner.parent {
                    Some(parent) => {
                        std::fs::create_dir_all(parent)?;
                        builder.tempdir_in(parent)?
                    }
                    None => builder.tempdir()?,
                })
            }
        };
        let number = self.inner.next.fetch_add(1, Ordering::Relaxed);
        Spill::create(directory.path().join(format!("{number}.log")), limit)
    }
}
