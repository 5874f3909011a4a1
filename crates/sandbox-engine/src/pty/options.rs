//! Options of a terminal.

use std::path::PathBuf;

use crate::isolation::Isolation;
use crate::resources::Limits;
use crate::terminal::PtySize;

/// Options of a terminal, which override the defaults.
#[derive(Debug, Clone, Default, Hash)]
pub struct PtyOptions {
    /// The working directory of the shell; relative to the engine's working directory, which is the default.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the engine's environment; later ones win. `TERM` is `xterm-256color` unless given, and
    /// `LANG` is `C.UTF-8` if neither these nor the engine's name a locale (`LANG`, `LC_*`) and the system has that
    /// one. A name begins with an ASCII letter or `_`, and has no blank, control character or `=`.
    pub env: Vec<(String, String)>,
    /// The initial size.
    pub size: PtySize,
    /// The isolation of the shell. Default: the engine's, [none](crate::EngineBuilder::isolation) unless set.
    pub isolation: Option<Isolation>,
    /// Whether the shell is started only by [`Ptys::start`](super::Ptys::start).
    pub is_lazy: bool,
    /// The limits of the shell and of all that it starts, together; as of [a run](crate::RunOptions::limits).
    pub limits: Limits,
}
