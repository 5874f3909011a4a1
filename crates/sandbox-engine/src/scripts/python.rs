//! The scripts that Python runs for the engine.

/// Runs a program as a file of its own.
pub(crate) const BOOT: &str = include_str!("../../python/boot.py");

/// Reads charts out of what a program draws: the files of `python/charts/` as one text.
pub(crate) const CHARTS: &str = concat!(
    include_str!("../../python/charts/hook.py"),
    include_str!("../../python/charts/channel.py"),
    include_str!("../../python/charts/figure.py"),
    include_str!("../../python/charts/axes.py"),
    include_str!("../../python/charts/kinds.py"),
    include_str!("../../python/charts/axis.py"),
    include_str!("../../python/charts/numbers.py"),
);
