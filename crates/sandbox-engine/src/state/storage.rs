//! The storage of an engine: its private directory, created when it is needed.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::abandoned::{clean, clean_once};
use super::directory::PRIVATE;
use super::place::{Own, PREFIX, Place, SESSIONS_PREFIX};
use super::removal::Removals;
use super::scratch::{Scratch, ScratchDirectory, ScratchEntry};
use crate::sync::lock;
use crate::tag::Instance;

/// The storage of an engine's files. Cheap to clone; the directory is removed with the last clone and the last [`Scratch`].
#[derive(Debug, Clone)]
pub(crate) struct State {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    /// The prefix of the private directory's name.
    prefix: &'static str,
    instance: Instance,
    own: Mutex<Option<Arc<Own>>>,
    next: AtomicU64,
    removals: Removals,
}

impl State {
    /// Opens the directory at `path`, which is created if it is missing. If an engine there was killed, its processes are ended
    /// and its files removed.
    ///
    /// # Errors
    ///
    /// Returns `PermissionDenied` for a directory of another user, `ResourceBusy` for one in use by another engine; errors of the system.
    pub(crate) fn at(path: &Path, instance: Instance) -> io::Result<Self> {
        let place = Place::Given(std::path::absolute(path)?);
        let state = Self::new(place, PREFIX, instance);
        let own = state.own()?;
        if own.parent.directory.is_open_to_others()? {
            tracing::warn!(
                path = %path.display(),
                "other users can remove and rename files in the state directory"
            );
        }
        if own.parent.lock.is_some() {
            clean(&own.parent);
        }
        Ok(state)
    }

    /// Stores files in the system's directory for temporary files.
    pub(crate) fn temporary(instance: Instance) -> Self {
        Self::in_temporary(PREFIX, instance)
    }

    /// Stores the named pipes of sessions, in the system's directory for temporary files: a state directory may be in a file
    /// system without pipes.
    pub(crate) fn sessions(instance: Instance) -> Self {
        Self::in_temporary(SESSIONS_PREFIX, instance)
    }

    fn in_temporary(prefix: &'static str, instance: Instance) -> Self {
        let path = std::env::temp_dir();
        // The working directory of this process may change.
        let path = std::path::absolute(&path).unwrap_or(path);
        clean_once(&path);
        Self::new(Place::Temporary(path), prefix, instance)
    }

    fn new(place: Place, prefix: &'static str, instance: Instance) -> Self {
        let inner = Inner {
            place,
            prefix,
            instance,
            own: Mutex::default(),
            next: AtomicU64::new(0),
            removals: Removals::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Returns the directory in which the private one is.
    pub(crate) fn place(&self) -> &Path {
        match &self.inner.place {
            Place::Given(path) | Place::Temporary(path) => path,
        }
    }

    pub(crate) fn own_place(&self) -> Option<&Path> {
        match &self.inner.place {
            Place::Given(path) => Some(path),
            Place::Temporary(_) => None,
        }
    }

    pub(crate) fn instance(&self) -> Instance {
        self.inner.instance
    }

    /// Creates a nameless file.
    pub(crate) fn nameless(&self) -> io::Result<std::fs::File> {
        self.with_own(|own| own.directory.nameless())
    }

    /// Creates the file `name` with these contents.
    pub(crate) fn scratch(&self, name: &str, contents: &[u8]) -> io::Result<Scratch> {
        self.with_own(|own| {
            let directory = self.directory_in(own)?;
            let mut file = directory.directory.create(name.as_bytes())?;
            file.write_all(contents)?;
            Ok(Scratch {
                path: directory.path().join(name),
                _directory: directory,
            })
        })
    }

    /// Creates an empty directory.
    pub(crate) fn scratch_directory(&self) -> io::Result<ScratchDirectory> {
        self.with_own(|own| self.directory_in(own))
    }

    /// Returns a number that no other name in the private directory has.
    pub(super) fn next_number(&self) -> u64 {
        self.inner.next.fetch_add(1, Ordering::Relaxed)
    }

    fn directory_in(&self, own: &Arc<Own>) -> io::Result<ScratchDirectory> {
        let number = self.next_number();
        let name = format!("run-{number}");
        Ok(ScratchDirectory {
            directory: own.directory.make(name.as_bytes(), PRIVATE)?,
            entry: ScratchEntry {
                path: own.path.join(&name),
                own: Arc::clone(own),
                name,
            },
        })
    }

    /// Drops `left`, which owns a [`ScratchEntry`], in the background: its contents may take long to remove.
    pub(crate) fn remove_later(&self, left: impl Send + 'static) {
        self.inner.removals.add(left);
    }

    /// Resolves when everything is removed that was passed to [`remove_later`](Self::remove_later).
    pub(crate) async fn removed(&self) {
        self.inner.removals.ended().await;
    }

    /// Returns the number of such removals that have not ended.
    pub(crate) fn removals(&self) -> usize {
        self.inner.removals.count()
    }

    /// Runs `work` in the private directory, and again in a new one if that vanished meanwhile.
    pub(super) fn with_own<T>(&self, work: impl Fn(&Arc<Own>) -> io::Result<T>) -> io::Result<T> {
        match self.own().and_then(|own| work(&own)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => work(&self.own()?),
            done => done,
        }
    }

    /// Returns the private directory, which is created if there is none or it has vanished.
    pub(super) fn own(&self) -> io::Result<Arc<Own>> {
        let Inner {
            place,
            prefix,
            instance,
            ..
        } = &*self.inner;
        // Locked until the directory exists: of two threads that need it, one creates it.
        let own = &mut *lock(&self.inner.own);
        let parent = match own {
            Some(own) if own.directory.is_at(&own.path) => return Ok(Arc::clone(own)),
            // Already locked by this process; a second lock would fail.
            Some(own) if own.parent.directory.is_at(place.path()) => Arc::clone(&own.parent),
            _ => Arc::new(place.open()?),
        };
        let made = Arc::new(Own::make(place.path(), parent, prefix, *instance)?);
        Ok(Arc::clone(own.insert(made)))
    }
}
