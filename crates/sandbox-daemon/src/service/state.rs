//! The state that all operations share.

use std::sync::Arc;

use sandbox_engine::Engine;
use sandbox_files::Files;

use super::execs::Execs;
use super::isolation::Trials;
use super::repeat::Repeats;

/// The state that all operations share. Cheap to clone; all clones refer to the same state.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) files: Files,
    pub(super) repeats: Arc<Repeats>,
    pub(crate) execs: Execs,
    /// Whether what can reach the daemon's address needs no token.
    pub(crate) is_open_to_network: bool,
    pub(super) trials: Arc<Trials>,
}

impl State {
    pub(crate) fn new(engine: Engine, is_open_to_network: bool) -> Self {
        let files = Files::system(engine.work_dir());
        let files = match super::info::home() {
            Some(home) => files.with_home(home),
            None => files,
        };
        Self {
            engine,
            files,
            repeats: Arc::new(Repeats::new()),
            execs: Execs::default(),
            is_open_to_network,
            trials: Arc::default(),
        }
    }
}
