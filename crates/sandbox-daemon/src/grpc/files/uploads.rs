//! Uploads that can be continued after their calls have ended.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use sandbox_files::{Metadata, Writer};
use sandbox_wire::ErrorCode;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::{Instant, sleep_until};

use crate::limits::{UPLOAD_AGE, UPLOADS};
use crate::service::Error;
use crate::sync::lock;

/// Uploads by their ids: those that calls write to, and a bounded number of others for a bounded time.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    uploads: HashMap<String, Upload>,
    /// A task removes uploads when they are too old.
    is_swept: bool,
}

#[derive(Debug)]
struct Upload {
    path: PathBuf,
    shared: Arc<Shared>,
    /// Calls that write to it, or wait to do so.
    calls: usize,
    /// When the last of these has ended.
    idle_since: Instant,
}

#[derive(Debug)]
struct Shared {
    held: Arc<tokio::sync::Mutex<Held>>,
    received: AtomicU64,
    is_complete: AtomicBool,
    /// The number of the call whose turn it is: the newest one.
    turn: watch::Sender<u64>,
}

/// What an upload holds between two calls.
#[derive(Debug, Default)]
pub(super) enum Held {
    #[default]
    Nothing,
    Part(Box<Writer>),
    Complete(Metadata),
}

impl Held {
    /// Returns how many bytes were received.
    pub(super) fn received(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Part(writer) => writer.written(),
            Self::Complete(metadata) => metadata.size,
        }
    }
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) received: u64,
    pub(super) is_complete: bool,
}

impl Uploads {
    /// Starts a call that writes to an upload; another one that writes to it ends.
    pub(super) fn claim(self: &Arc<Self>, id: &str, path: &Path) -> Result<Turn, Error> {
        let mut table = self.lock();
        let upload = table
            .uploads
            .entry(id.to_owned())
            .or_insert_with(|| Upload {
                path: path.to_owned(),
                shared: Arc::new(Shared {
                    held: Arc::default(),
                    received: AtomicU64::new(0),
                    is_complete: AtomicBool::new(false),
                    turn: watch::Sender::new(0),
                }),
                calls: 0,
                idle_since: Instant::now(),
            });
        if upload.path != path {
            let message = "the id belongs to an upload to another path";
            return Err(Error::new(ErrorCode::Conflict, message));
        }
        upload.calls += 1;
        upload.shared.turn.send_modify(|turn| *turn += 1);
        let mut turns = upload.shared.turn.subscribe();
        let number = *turns.borrow_and_update();
        Ok(Turn {
            shared: upload.shared.clone(),
            turns,
            number,
            _call: Call {
                id: id.to_owned(),
                shared: upload.shared.clone(),
                uploads: Arc::downgrade(self),
            },
        })
    }

    /// Returns how far an upload is.
    pub(super) fn progress(&self, id: &str) -> Result<Progress, Error> {
        let table = self.lock();
        let upload = table.uploads.get(id);
        let unknown = || Error::new(ErrorCode::NotFound, "no such upload");
        let shared = &upload.ok_or_else(unknown)?.shared;
        Ok(Progress {
            // Read from the atomics and not from `held`, whose lock a call holds as long as it
            // writes. `is_complete` first: what is complete was received before.
            is_complete: shared.is_complete.load(Ordering::Acquire),
            received: shared.received.load(Ordering::Acquire),
        })
    }

    /// Discards an upload. A call that writes to it ends.
    pub(super) fn delete(&self, id: &str) {
        let removed = self.lock().uploads.remove(id);
        // Outside of the table's lock. The call that writes holds the rest by its turn, and drops
        // it soon.
        if let Some(upload) = removed {
            upload.shared.turn.send_modify(|turn| *turn += 1);
        }
    }

    /// Ends a call of an upload.
    fn end(self: &Arc<Self>, id: &str, shared: &Arc<Shared>) {
        let mut table = self.lock();
        let Some(upload) = table.uploads.get_mut(id) else {
            return;
        };
        // Another upload may have the id.
        if !Arc::ptr_eq(&upload.shared, shared) {
            return;
        }
        upload.calls -= 1;
        upload.idle_since = Instant::now();
        // A file that could not be written starts again.
        if upload.calls == 0 && upload.shared.received.load(Ordering::Acquire) == 0 {
            let is_complete = upload.shared.is_complete.load(Ordering::Acquire);
            if !is_complete {
                table.uploads.remove(id);
            }
        }
        table.shrink();
        if !table.is_swept && table.oldest().is_some() {
            table.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        lock(&self.0)
    }
}

/// Removes uploads when they are too old, until there are none.
async fn sweep(uploads: Weak<Uploads>) {
    loop {
        let next = {
            // Upgraded for each round only: a sleeping task must not hold the uploads, which have
            // files open.
            let Some(uploads) = uploads.upgrade() else {
                return;
            };
            let mut table = uploads.lock();
            let now = Instant::now();
            let is_recent =
                |upload: &Upload| upload.calls > 0 || now < upload.idle_since + UPLOAD_AGE;
            table.uploads.retain(|_, upload| is_recent(upload));
            match table.oldest() {
                Some(oldest) => oldest + UPLOAD_AGE,
                None => {
                    // Under the lock in which nothing idle was found: a call that ends later sees
                    // that it must start a new sweep.
                    table.is_swept = false;
                    return;
                }
            }
        };
        // The lock and the reference were dropped before.
        sleep_until(next).await;
    }
}

impl Table {
    /// Returns since when the upload has been idle that has been so for the longest time.
    fn oldest(&self) -> Option<Instant> {
        let idle = self.uploads.values().filter(|upload| upload.calls == 0);
        idle.map(|upload| upload.idle_since).min()
    }

    /// Removes the oldest uploads of those that no call writes to, while there are too many: complete ones first.
    fn shrink(&mut self) {
        loop {
            let idle = self.uploads.iter().filter(|(_, upload)| upload.calls == 0);
            if idle.clone().count() <= UPLOADS {
                return;
            }
            let oldest = idle.min_by_key(|(_, upload)| {
                let is_complete = upload.shared.is_complete.load(Ordering::Acquire);
                // False sorts first. A complete upload has nothing that could be lost, but the file
                // in its place.
                (!is_complete, upload.idle_since)
            });
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else {
                return;
            };
            self.uploads.remove(&oldest);
        }
    }
}

/// The turn of a call to write to an upload.
#[derive(Debug)]
pub(super) struct Turn {
    shared: Arc<Shared>,
    turns: watch::Receiver<u64>,
    number: u64,
    /// Dropped last.
    _call: Call,
}

impl Turn {
    /// Waits until the call before has ended, and returns what the upload holds.
    pub(super) async fn start(&mut self) -> Result<OwnedMutexGuard<Held>, Error> {
        let held = self.shared.held.clone().lock_owned().await;
        // Another call may have taken the turn while this one waited for the lock.
        if *self.turns.borrow_and_update() == self.number {
            Ok(held)
        } else {
            Err(Self::lost())
        }
    }

    /// Resolves when another call has the turn. Cancel safe.
    pub(super) async fn taken(&mut self) {
        // The sender is part of what this shares.
        let _ = self.turns.changed().await;
    }

    /// Returns the error of a call that has lost its turn.
    pub(super) fn lost() -> Error {
        let message = "another call writes to the upload, or has deleted it";
        Error::new(ErrorCode::Conflict, message)
    }

    /// Records how many bytes were received.
    pub(super) fn report(&self, received: u64) {
        self.shared.received.store(received, Ordering::Release);
    }

    /// Records that the file is in its place.
    pub(super) fn complete(&self) {
        self.shared.is_complete.store(true, Ordering::Release);
    }
}

/// A call of an upload, which ends when this is dropped.
#[derive(Debug)]
struct Call {
    id: String,
    shared: Arc<Shared>,
    uploads: Weak<Uploads>,
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(uploads) = self.uploads.upgrade() {
            uploads.end(&self.id, &self.shared);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A call that receives a byte and ends.
    async fn interrupted(uploads: &Arc<Uploads>, id: &str, is_complete: bool) {
        let mut turn = uploads.claim(id, Path::new("/file")).unwrap();
        turn.start().await.unwrap();
        turn.report(1);
        if is_complete {
            turn.complete();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn interrupted_uploads_are_bounded_in_number() {
        let uploads = Arc::new(Uploads::default());
        let has = |id: &str| uploads.progress(id).is_ok();
        interrupted(&uploads, "complete", true).await;
        let mut busy = uploads.claim("busy", Path::new("/file")).unwrap();
        busy.start().await.unwrap();
        for n in 1..UPLOADS {
            tokio::time::advance(Duration::from_millis(1)).await;
            interrupted(&uploads, &n.to_string(), false).await;
        }
        assert!(has("complete") && has("1"));
        interrupted(&uploads, "a", false).await;
        assert!(!has("complete") && has("1") && has("a"));
        interrupted(&uploads, "b", false).await;
        assert!(!has("1") && has("2") && has("b") && has("busy"));
        // One that has received nothing is not retained.
        drop(busy);
        assert!(!has("busy") && has("2"));
    }

    #[tokio::test(start_paused = true)]
    async fn interrupted_uploads_end_after_some_time() {
        let uploads = Arc::new(Uploads::default());
        let has = |id: &str| uploads.progress(id).is_ok();
        interrupted(&uploads, "a", false).await;
        tokio::time::sleep(UPLOAD_AGE - Duration::from_secs(1)).await;
        interrupted(&uploads, "b", false).await;
        let busy = uploads.claim("c", Path::new("/file")).unwrap();
        busy.report(1);
        assert!(has("a"));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!has("a") && has("b") && has("c"));
        tokio::time::sleep(UPLOAD_AGE).await;
        assert!(!has("b") && has("c"));
        drop(busy);
        tokio::time::sleep(UPLOAD_AGE + Duration::from_secs(1)).await;
        assert!(!has("c") && !uploads.lock().is_swept);
    }

    #[tokio::test]
    async fn the_newest_call_has_the_turn() {
        let uploads = Arc::new(Uploads::default());
        let claim = || uploads.claim("a", Path::new("/file")).unwrap();
        let mut first = claim();
        let held = first.start().await.unwrap();
        let (mut second, mut third) = (claim(), claim());
        first.taken().await;
        drop((held, first));
        assert_eq!(
            second.start().await.unwrap_err().code(),
            ErrorCode::Conflict
        );
        third.start().await.unwrap();
        assert!(uploads.claim("a", Path::new("/other")).is_err());
        uploads.delete("a");
        third.taken().await;
        // Its end is not that of another upload with the id.
        let fourth = claim();
        drop(third);
        assert!(uploads.progress("a").is_ok());
        drop(fourth);
        assert!(uploads.progress("a").is_err());
    }
}
