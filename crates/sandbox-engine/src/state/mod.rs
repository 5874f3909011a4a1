//! The files of an engine: in one private directory, reached by a descriptor and never by a path that others can change.
//!
//! The directory may vanish at any time, with `rm -rf /tmp/*` or a cleaner of temporary files; it is made anew when
//! it is next needed.

mod directory;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::Mode;
use uuid::Uuid;

use directory::{Directory, PRIVATE};

/// Where an engine keeps files. Cheap to clone; the directory is removed with the last clone and the last [`Scratch`].
#[derive(Debug, Clone)]
pub(crate) struct State {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    parent: Parent,
    /// Made when it is first needed.
    own: Mutex<Option<Arc<Own>>>,
    next: AtomicU64,
}

/// Where the private directory is made; absolute.
#[derive(Debug)]
enum Parent {
    /// The state directory, which is this engine's alone.
    Given(PathBuf),
    /// The system's directory for temporary files, which many share.
    Temporary(PathBuf),
}

/// The private directory.
#[derive(Debug)]
struct Own {
    parent: Directory,
    directory: Directory,
    name: String,
    path: PathBuf,
}

/// A file in a directory of its own, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    own: Arc<Own>,
    name: String,
    path: PathBuf,
}

impl State {
    /// Files in the directory at `path`, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` for a directory of another user; those of the system.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let state = Self::below(Parent::Given(std::path::absolute(path)?));
        let parent = state.inner.parent.open()?;
        if parent.is_open_to_others()? {
            tracing::warn!(
                path = %path.display(),
                "other users can remove and rename files in the state directory"
            );
        }
        Ok(state)
    }

    /// Files in the system's directory for temporary files.
    pub(crate) fn temporary() -> Self {
        Self::below(Parent::Temporary(std::env::temp_dir()))
    }

    fn below(parent: Parent) -> Self {
        let inner = Inner {
            parent,
            own: Mutex::default(),
            next: AtomicU64::new(0),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Makes a file without a name.
    pub(crate) fn nameless(&self) -> io::Result<std::fs::File> {
        self.with_own(|own| own.directory.nameless())
    }

    /// Makes the file `name` with these contents.
    pub(crate) fn scratch(&self, name: &str, contents: &[u8]) -> io::Result<Scratch> {
        self.with_own(|own| {
            let number = self.inner.next.fetch_add(1, Ordering::Relaxed);
            let directory_name = format!("run-{number}");
            let directory = own.directory.make(directory_name.as_bytes(), PRIVATE)?;
            let scratch = Scratch {
                path: own.path.join(&directory_name).join(name),
                name: directory_name,
                own: Arc::clone(own),
            };
            directory.create(name.as_bytes())?.write_all(contents)?;
            Ok(scratch)
        })
    }

    /// Works in the private directory, and once more in a new one if that vanished meanwhile.
    fn with_own<T>(&self, work: impl Fn(&Arc<Own>) -> io::Result<T>) -> io::Result<T> {
        match self.own().and_then(|own| work(&own)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => work(&self.own()?),
            done => done,
        }
    }

    /// The private directory, which is made if there is none, or none any more.
    fn own(&self) -> io::Result<Arc<Own>> {
        let own = &mut *self
            .inner
            .own
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = own
            && own.directory.is_at(&own.path)
        {
            return Ok(Arc::clone(own));
        }
        let made = Arc::new(self.inner.parent.make()?);
        Ok(Arc::clone(own.insert(made)))
    }
}

impl Parent {
    fn path(&self) -> &Path {
        match self {
            Self::Given(path) | Self::Temporary(path) => path,
        }
    }

    fn open(&self) -> io::Result<Directory> {
        match self {
            Self::Given(path) => {
                let directory = Directory::open_or_make(path, PRIVATE)?;
                directory.check_owner()?;
                Ok(directory)
            }
            Self::Temporary(path) => {
                // As such directories are, if it was removed.
                let shared = Mode::RWXU | Mode::RWXG | Mode::RWXO | Mode::SVTX;
                Directory::open_or_make(path, shared)
            }
        }
    }

    fn make(&self) -> io::Result<Own> {
        let parent = self.open()?;
        let name = format!("{PREFIX}{}", Uuid::new_v4().simple());
        let directory = parent.make(name.as_bytes(), PRIVATE)?;
        Ok(Own {
            directory,
            path: self.path().join(&name),
            parent,
            name,
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // It may have been removed already.
        let _ = self.parent.remove(self.name.as_bytes());
    }
}

impl Scratch {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The program may have removed it.
        let _ = self.own.directory.remove(self.name.as_bytes());
    }
}

/// What the names of private directories begin with.
const PREFIX: &str = "sandbox-";
