//! The directory for temporary files of a run at the level `landlock`, which has no view and so no `/tmp` of its own.

use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Level;
use super::description::{Access, Isolation, Kind, Layer, Places, Rank, top};
use crate::environment::Environment;
use crate::limits::{FILE_CALL, TEMPORARY_DIRECTORIES};
use crate::offload::file_calls;
use crate::spawner::{Exit, SpawnError};
use crate::state::{ScratchEntry, State};

/// A directory of one run, which it may write to, and which is removed with its contents after the run's end, in the background.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    state: State,
    left: Option<Left>,
}

/// What is removed.
#[derive(Debug)]
struct Left {
    /// Dropped before the permit.
    _entry: ScratchEntry,
    _permit: SemaphorePermit<'static>,
}

/// Those that are used or are not removed yet.
static DIRECTORIES: Semaphore = Semaphore::const_new(TEMPORARY_DIRECTORIES);

impl Temporary {
    /// Creates the directory in `state`, if the level has none. Another user could not enter it, so a run as one has none.
    pub(super) async fn of(
        isolation: &Isolation,
        state: Option<&State>,
    ) -> Result<Option<Self>, SpawnError> {
        let Some(state) = state.filter(|_| isolation.level() == Level::Landlock) else {
            return Ok(None);
        };
        if isolation.has_user() {
            return Ok(None);
        }
        let permit = permit_of(&DIRECTORIES).await.map_err(SpawnError::Os)?;
        let place = state.clone();
        let make = move || {
            let directory = place.scratch_directory()?;
            // A rule follows no links, and the path of the system's directory for temporary files may have some.
            let path = std::fs::canonicalize(directory.path())?;
            Ok((directory.into_entry(), path))
        };
        let made = file_calls(make).await.flatten();
        let (entry, path) = made.map_err(SpawnError::Os)?;
        Ok(Some(Self {
            path,
            state: state.clone(),
            left: Some(Left {
                _entry: entry,
                _permit: permit,
            }),
        }))
    }

    /// Returns the layer that allows the directory.
    pub(super) fn layer(&self) -> Layer {
        Layer {
            path: self.path.clone(),
            kind: Kind::Bind {
                source: self.path.clone(),
                access: Access::Write,
            },
            rank: Rank::Own,
        }
    }

    /// Sets the variables by which programs find the directory, unless they name one that the run may write to.
    pub(super) fn name(&self, env: &mut Environment, isolation: &Isolation, places: &Places) {
        let layers = isolation.all_layers(places);
        for variable in VARIABLES {
            let given = env.get(variable).map(Path::new);
            if !given.is_some_and(|path| is_writable(&layers, path)) {
                env.set(variable, &self.path);
            }
        }
    }

    /// Returns the exit, after which the removal of the directory begins. The exit does not wait for it: the process id may be
    /// used again. What processes that the program has left behind write there in that moment is removed with the engine's other files.
    pub(super) fn until(self, exit: Exit) -> Exit {
        Box::pin(async move {
            let ended = exit.await;
            drop(self);
            ended
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(left) = self.left.take() {
            self.state.remove_later(left);
        }
    }
}

async fn permit_of(most: &'static Semaphore) -> io::Result<SemaphorePermit<'static>> {
    match tokio::time::timeout(FILE_CALL, most.acquire()).await {
        Ok(permit) => permit.map_err(io::Error::other),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "too many directories for temporary files are not removed yet",
        )),
    }
}

fn is_writable(layers: &[Layer], path: &Path) -> bool {
    let top = top(layers.iter().map(Layer::placed), path);
    let writable = |layer: &Layer| {
        matches!(
            layer.kind,
            Kind::Bind {
                access: Access::Write,
                ..
            }
        )
    };
    top.is_some_and(writable) && path.is_absolute()
}

/// The first is POSIX's; Python and others know all three.
const VARIABLES: [&str; 3] = ["TMPDIR", "TMP", "TEMP"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tag::Instance;

    #[tokio::test(start_paused = true)]
    async fn directories_that_are_not_removed_are_not_waited_for_without_end() {
        static ONE: Semaphore = Semaphore::const_new(1);
        let held = permit_of(&ONE).await.unwrap();
        let error = permit_of(&ONE).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(held);
        assert!(permit_of(&ONE).await.is_ok());
    }

    /// On one thread: the removal cannot have begun before the exit has resolved.
    #[tokio::test]
    async fn an_exit_does_not_wait_for_the_removal_and_a_shutdown_does() {
        let home = tempfile::tempdir().unwrap();
        let state = State::at(home.path(), Instance::draw()).unwrap();
        let isolation = Isolation::builder().level(Level::Landlock).build().unwrap();
        let made = Temporary::of(&isolation, Some(&state)).await;
        let temporary = made.unwrap().unwrap();
        let path = temporary.path.clone();
        std::fs::write(path.join("file"), "").unwrap();
        let exit = temporary.until(Box::pin(async { Err(io::Error::other("ended")) }));
        assert_eq!(exit.await.unwrap_err().to_string(), "ended");
        assert!(path.join("file").exists());
        assert_eq!(state.removals(), 1);
        state.removed().await;
        assert!(!path.exists());
        assert_eq!(state.removals(), 0);
    }
}
