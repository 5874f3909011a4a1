//! What all operations share.

use std::sync::Arc;

use sandbox_engine::Engine;

use super::execs::Execs;
use super::repeat::Repeats;

/// What all operations share. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(super) repeats: Arc<Repeats>,
    pub(crate) execs: Execs,
}

impl State {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            repeats: Arc::new(Repeats::new()),
            execs: Execs::default(),
        }
    }
}
