//! How a terminal differs from the defaults.

use std::path::PathBuf;

use crate::terminal::PtySize;

/// How a terminal differs from the defaults.
#[derive(Debug, Clone, Default, Hash)]
pub struct PtyOptions {
    /// Where its shell starts; relative to the engine's working directory, which is the default.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the engine's environment; later ones win. `TERM` is `xterm-256color` unless given, and `LANG` is
    /// `C.UTF-8` if neither these nor the engine's name a locale (`LANG`, `LC_*`) and the system has that one. A name
    /// begins with an ASCII letter or `_`, and has no blank, control character or `=`.
    pub env: Vec<(String, String)>,
    /// Its size at the beginning.
    pub size: PtySize,
    /// Whether its shell starts only with [`Ptys::start`](super::Ptys::start).
    pub is_lazy: bool,
}
