//! The directory for temporary files of a run at the level `landlock`, which has no view and so no `/tmp` of its own.

use std::path::{Path, PathBuf};

use super::Level;
use super::description::{Access, Isolation, Kind, Layer, Places, Rank, top};
use crate::environment::Environment;
use crate::offload::file_calls;
use crate::spawner::{Exit, SpawnError};
use crate::state::{ScratchDirectory, State};

/// A directory of one run, which it may write to, and which is removed with its contents after the run's end.
#[derive(Debug)]
pub(super) struct Temporary {
    directory: ScratchDirectory,
    path: PathBuf,
}

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
        let state = state.clone();
        let make = move || {
            let directory = state.scratch_directory()?;
            // A rule follows no links, and the path of the system's directory for temporary files may have some.
            let path = std::fs::canonicalize(directory.path())?;
            Ok(Self { directory, path })
        };
        file_calls(make)
            .await
            .flatten()
            .map_err(SpawnError::Os)
            .map(Some)
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

    /// Returns the exit, after which the directory is removed. What processes that the program has left behind write there in that moment is
    /// removed with the engine's other files.
    pub(super) fn until(self, exit: Exit) -> Exit {
        Box::pin(async move {
            let ended = exit.await;
            // A tree that cannot be removed in time is left to that thread.
            let _ = file_calls(move || drop(self.directory)).await;
            ended
        })
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
