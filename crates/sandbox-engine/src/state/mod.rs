//! The files of an engine: in one private directory, accessed by a descriptor and never by a path that others can change.
//!
//! The directory may vanish at any time, with `rm -rf /tmp/*` or a cleaner of temporary files; it is created again on next
//! use. It is locked for the lifetime of this process. One that is not locked belonged to a process that was killed:
//! the next engine in the same place ends the processes which that engine had started, and removes its files.

mod directory;
mod notes;
mod owner;
mod removal;

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use uuid::Uuid;

use crate::limits::STATE_LOCK_WAIT;
use crate::sync::lock;
use crate::tag::Instance;
use directory::{Directory, Lock, PRIVATE};
pub(crate) use notes::Note;
use owner::Owner;
use removal::Removals;
pub use removal::remove_tree;

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

/// The place in which the private directory is created; absolute.
#[derive(Debug)]
enum Place {
    /// The state directory, which is this engine's alone.
    Given(PathBuf),
    /// The system's directory for temporary files, which many share.
    Temporary(PathBuf),
}

/// The opened place.
#[derive(Debug)]
struct Parent {
    directory: Directory,
    /// `None` for a place that is shared, and where the file system has no locks.
    lock: Option<OwnedFd>,
}

/// The private directory.
#[derive(Debug)]
struct Own {
    parent: Arc<Parent>,
    directory: Directory,
    name: String,
    path: PathBuf,
    /// `None` where the file system has no locks.
    _lock: Option<OwnedFd>,
}

/// A directory in the private one, which is removed with its contents when this is dropped.
#[derive(Debug)]
pub(crate) struct ScratchDirectory {
    directory: Directory,
    entry: ScratchEntry,
}

/// The same without a descriptor of it.
#[derive(Debug)]
pub(crate) struct ScratchEntry {
    own: Arc<Own>,
    name: String,
    path: PathBuf,
}

/// A file in its own directory, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _directory: ScratchDirectory,
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

    fn directory_in(&self, own: &Arc<Own>) -> io::Result<ScratchDirectory> {
        let number = self.inner.next.fetch_add(1, Ordering::Relaxed);
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
    fn with_own<T>(&self, work: impl Fn(&Arc<Own>) -> io::Result<T>) -> io::Result<T> {
        match self.own().and_then(|own| work(&own)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => work(&self.own()?),
            done => done,
        }
    }

    /// Returns the private directory, which is created if there is none or it has vanished.
    fn own(&self) -> io::Result<Arc<Own>> {
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

impl Place {
    fn path(&self) -> &Path {
        match self {
            Self::Given(path) | Self::Temporary(path) => path,
        }
    }

    fn open(&self) -> io::Result<Parent> {
        match self {
            Self::Given(path) => {
                let directory = Directory::open_or_make(path, PRIVATE)?;
                directory.check_owner()?;
                let lock = lock_alone(&directory)?;
                Ok(Parent { directory, lock })
            }
            Self::Temporary(path) => {
                // The usual mode of such directories, if it was removed.
                let shared = Mode::RWXU | Mode::RWXG | Mode::RWXO | Mode::SVTX;
                let directory = Directory::open_or_make(path, shared)?;
                Ok(Parent {
                    directory,
                    lock: None,
                })
            }
        }
    }
}

impl Own {
    fn make(
        path: &Path,
        parent: Arc<Parent>,
        prefix: &str,
        instance: Instance,
    ) -> io::Result<Self> {
        let name = format!("{prefix}{}", Uuid::new_v4().simple());
        let directory = parent.directory.make(name.as_bytes(), PRIVATE)?;
        let lock = match directory.lock()? {
            Lock::Taken(lock) => Some(lock),
            Lock::Busy | Lock::Unsupported => None,
        };
        // After the lock: without this file the directory is not taken for an abandoned one.
        Owner::here(instance).write(&directory)?;
        Ok(Self {
            path: path.join(&name),
            parent,
            directory,
            name,
            _lock: lock,
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        removed(
            &self.path,
            self.parent.directory.remove(self.name.as_bytes()),
        );
    }
}

impl Scratch {
    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl ScratchDirectory {
    pub(crate) fn path(&self) -> &Path {
        &self.entry.path
    }

    /// Closes the descriptor; the directory remains until the entry is dropped.
    pub(crate) fn into_entry(self) -> ScratchEntry {
        self.entry
    }

    /// Returns whether the directory is still at its path.
    pub(crate) fn is_in_its_place(&self) -> bool {
        self.directory.is_at(&self.entry.path)
    }

    /// Fails if another user has taken the name of the private directory: a process that received that name would find that
    /// user's files there.
    ///
    /// # Errors
    ///
    /// Returns `PermissionDenied` in that case.
    pub(crate) fn check_place(&self) -> io::Result<()> {
        let own = &self.entry.own;
        match own.parent.directory.enter(own.name.as_bytes()) {
            Ok(found) if !found.is_this_users() => {
                let path = own.path.display();
                let message = format!("another user has put a directory in the place of {path}");
                Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
            }
            _ => Ok(()),
        }
    }
}

/// The directory, to create and open files in it even if its path now names another one.
impl AsFd for ScratchDirectory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl Drop for ScratchEntry {
    fn drop(&mut self) {
        removed(&self.path, self.own.directory.remove(self.name.as_bytes()));
    }
}

fn removed(path: &Path, removed: io::Result<()>) {
    if let Err(error) = removed {
        tracing::warn!(%error, path = %path.display(), "cannot remove a directory of temporary files");
    }
}

/// Locks a state directory; returns `None` if the file system has no locks.
fn lock_alone(directory: &Directory) -> io::Result<Option<OwnedFd>> {
    let give_up = Instant::now() + STATE_LOCK_WAIT;
    loop {
        match directory.lock()? {
            Lock::Taken(lock) => return Ok(Some(lock)),
            Lock::Unsupported => {
                tracing::warn!(
                    "the state directory cannot be locked: nothing keeps two daemons from sharing it"
                );
                return Ok(None);
            }
            Lock::Busy => {}
        }
        let owners = private_directories(directory);
        let owners = owners.filter_map(|(_, directory)| Owner::read(&directory));
        if let Some(owner) = { owners }.find(Owner::is_alive) {
            let message = format!("process {} uses it", owner.pid);
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        // Its process has ended; a child that it was just starting holds the lock until it executes another program.
        if Instant::now() > give_up {
            let message = "another process has locked it";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "no lock can be waited for until a deadline"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Ends the processes and removes the files of engines that were killed.
fn clean(parent: &Parent) {
    for (name, directory) in private_directories(&parent.directory) {
        // Not locked: its process has ended.
        let Ok(Lock::Taken(_lock)) = directory.lock() else {
            continue;
        };
        let owner = match Owner::read(&directory) {
            Some(owner) => owner,
            // In a shared place another engine may be about to use it.
            None if parent.lock.is_none() => continue,
            None => {
                let path = Path::new(&name);
                removed(path, parent.directory.remove(name.as_bytes()));
                continue;
            }
        };
        // The lock is held meanwhile, so that another engine that starts here does not do the same.
        // First the processes, which may still write to the files.
        let processes = owner.end();
        notes::remove_files(&directory);
        match parent.directory.remove(name.as_bytes()) {
            Ok(()) => tracing::warn!(
                pid = owner.pid,
                processes,
                "a daemon was killed here: ended what it had started, and removed its files"
            ),
            Err(error) => {
                tracing::warn!(%error, %name, "cannot remove what a killed daemon has left")
            }
        }
    }
}

/// Runs [`clean`] on the system's directory for temporary files, once per process and on a thread; it may have many entries.
fn clean_once(path: &Path) {
    static ONCE: Once = Once::new();
    let path = path.to_owned();
    ONCE.call_once(|| {
        let work = move || {
            if let Ok(directory) = Directory::open(&path) {
                clean(&Parent {
                    directory,
                    lock: None,
                });
            }
        };
        let thread = std::thread::Builder::new().name("sandbox-clean".to_owned());
        if let Err(error) = thread.spawn(work) {
            tracing::debug!(%error, "cannot look for what killed daemons have left");
        }
    });
}

/// Returns this user's directories in `directory` with a name that [`Own::make`] creates.
fn private_directories(directory: &Directory) -> impl Iterator<Item = (String, Directory)> {
    let names = directory.names().unwrap_or_default().into_iter();
    let names = names.filter_map(|name| name.into_string().ok());
    let is_one = |name: &String| {
        let digits = name.strip_prefix(SESSIONS_PREFIX);
        let digits = digits.or_else(|| name.strip_prefix(PREFIX));
        let digits = digits.unwrap_or_default();
        digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    names.filter(is_one).filter_map(|name| {
        let found = directory.enter(name.as_bytes()).ok()?;
        found.is_this_users().then_some((name, found))
    })
}

/// The prefix of the names of private directories.
const PREFIX: &str = "sandbox-";

/// The prefix of the names of directories with the pipes of sessions.
const SESSIONS_PREFIX: &str = "sandbox-session-";

#[cfg(test)]
mod tests {
    use super::*;

    fn state(path: &Path) -> io::Result<State> {
        State::at(path, Instance::draw())
    }

    #[test]
    fn a_state_directory_is_for_one_engine() {
        let home = tempfile::tempdir().unwrap();
        let first = state(home.path()).unwrap();
        let refused = state(home.path()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
        let expect = format!("process {} uses it", std::process::id());
        assert_eq!(refused.to_string(), expect);
        // Also when the first one has to create its directory again.
        std::fs::remove_dir_all(&first.own().unwrap().path).unwrap();
        first.scratch("a", b"").unwrap();
        assert!(state(home.path()).is_err());
        drop(first);
        state(home.path()).unwrap();
    }

    #[test]
    fn an_unowned_lock_is_waited_for_and_refused() {
        let home = tempfile::tempdir().unwrap();
        let directory = Directory::open(home.path()).unwrap();
        let Lock::Taken(lock) = directory.lock().unwrap() else {
            panic!("it is locked");
        };
        let begun = Instant::now();
        let refused = state(home.path()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
        assert!(begun.elapsed() >= STATE_LOCK_WAIT);
        drop(lock);
        state(home.path()).unwrap();
    }

    #[test]
    fn what_is_left_is_removed_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let parent = Directory::open(home.path()).unwrap();
        let name = |n: u8| format!("{PREFIX}{n:032x}");
        let left = parent.make(name(1).as_bytes(), PRIVATE).unwrap();
        Owner::here(Instance::draw()).write(&left).unwrap();
        let other = parent.make(b"sandbox-other", PRIVATE).unwrap();
        Owner::here(Instance::draw()).write(&other).unwrap();
        let used = parent.make(name(2).as_bytes(), PRIVATE).unwrap();
        Owner::here(Instance::draw()).write(&used).unwrap();
        let Lock::Taken(_lock) = used.lock().unwrap() else {
            panic!("it is locked");
        };
        std::os::unix::fs::symlink("/", home.path().join(name(3))).unwrap();
        parent.make(name(4).as_bytes(), PRIVATE).unwrap();
        // A place that is shared with others.
        clean(&Parent {
            directory: Directory::open(home.path()).unwrap(),
            lock: None,
        });
        let names = || {
            let names = parent.names().unwrap().into_iter();
            let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        let kept = [name(2), name(3), name(4), "sandbox-other".to_owned()];
        assert_eq!(names(), kept);
        // A place of this engine alone.
        let state = state(home.path()).unwrap();
        let own = state.own().unwrap().name.clone();
        let mut kept = vec![name(2), name(3), "sandbox-other".to_owned(), own];
        kept.sort();
        assert_eq!(names(), kept);
    }
}
