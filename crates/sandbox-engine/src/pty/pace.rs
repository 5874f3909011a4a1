//! The pace of a terminal: its output is not read faster than the fastest of its readers takes it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::PTY_READER_PATIENCE;
use crate::record::Record;

/// The progress of a terminal's readers.
#[derive(Debug, Default)]
pub(super) struct Readers {
    count: AtomicUsize,
    /// The offset that the fastest of them has reached.
    front: AtomicU64,
    changed: Notify,
}

impl Readers {
    pub(super) fn join(&self, position: u64) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.reach(position);
    }

    pub(super) fn leave(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.changed.notify_one();
    }

    pub(super) fn reach(&self, position: u64) {
        // A permit is stored if the terminal's task is not waiting at the moment.
        if self.front.fetch_max(position, Ordering::Relaxed) < position {
            self.changed.notify_one();
        }
    }

    /// Waits until a reader has made progress or left. For a single waiter. Cancel safe.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// The decision whether the output is to wait for the readers.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The offset of the fastest reader, and when it is no longer waited for.
    waiting: Option<(u64, Instant)>,
    /// The offset of a reader that did not read in time. It is not waited for until it reads again.
    stalled_at: Option<u64>,
}

impl Pace {
    /// Returns until when reading has to wait because the record would forget what no reader has read. `None` if it may go on.
    pub(super) fn deadline(&mut self, readers: &Readers, record: &Record) -> Option<Instant> {
        let front = readers.front.load(Ordering::Relaxed);
        let is_waited_for = readers.count.load(Ordering::Relaxed) > 0
            && self.stalled_at != Some(front)
            && record.would_forget(front, ROOM);
        if !is_waited_for {
            self.waiting = None;
            return None;
        }
        match self.waiting {
            Some((offset, until)) if offset == front => Some(until),
            _ => {
                let until = Instant::now() + PTY_READER_PATIENCE;
                self.waiting = Some((front, until));
                Some(until)
            }
        }
    }

    /// Stops waiting for a reader that did not read until the deadline.
    pub(super) fn give_up(&mut self) {
        self.stalled_at = self.waiting.take().map(|(offset, _)| offset);
    }
}

/// The room that the record must have: for one read, and for what the kernel holds when the shell ends.
const ROOM: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sandbox_logcodec::Channel;

    use super::*;
    use crate::record::Store;
    use crate::state::State;
    use crate::tag::Instance;

    const READ: usize = 4096;

    #[tokio::test]
    async fn only_what_the_fastest_reader_has_not_read_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(State::at(directory.path(), Instance::draw()).unwrap(), None);
        let record = store.ring(16 * READ);
        let (readers, mut pace) = (Readers::default(), Pace::default());
        let fill = || {
            for _ in 0..32 {
                record.append(Channel::Stdout, Bytes::from_static(&[b'x'; READ]));
            }
        };
        fill();
        assert_eq!(pace.deadline(&readers, &record), None, "there is no reader");

        readers.join(record.length());
        readers.join(0);
        assert_eq!(pace.deadline(&readers, &record), None, "one has read all");

        fill();
        let until = pace.deadline(&readers, &record);
        assert!(until.is_some());
        assert_eq!(pace.deadline(&readers, &record), until, "it is one wait");
        pace.give_up();
        assert_eq!(pace.deadline(&readers, &record), None, "it has stalled");

        readers.reach(record.length() - 12 * READ as u64);
        assert!(pace.deadline(&readers, &record).is_some(), "it reads again");
        readers.reach(record.length() - 4 * READ as u64);
        assert_eq!(pace.deadline(&readers, &record), None, "it is near the end");
        fill();
        assert!(pace.deadline(&readers, &record).is_some());
        readers.leave();
        readers.leave();
        assert_eq!(pace.deadline(&readers, &record), None, "all have left");
    }
}
