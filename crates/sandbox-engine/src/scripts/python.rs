//! The scripts that Python runs for the engine.

/// The script that runs a program as a file of its own.
pub(crate) const BOOT: &str = include_str!("../../python/boot.py");

/// The script that lets a forked program end without what its server had imported.
pub(crate) const LEAVE: &str = include_str!("../../python/leave.py");

/// The script that finds out which files its interpreter has read since its start.
pub(crate) const FILES: &str = include_str!("../../python/files.py");

/// The script that extracts charts from a program's drawings: the files of `python/charts/` as one text.
pub(crate) const CHARTS: &str = concat!(
    include_str!("../../python/charts/hook.py"),
    include_str!("../../python/charts/channel.py"),
    include_str!("../../python/charts/figure.py"),
    include_str!("../../python/charts/axes.py"),
    include_str!("../../python/charts/kinds.py"),
    include_str!("../../python/charts/axis.py"),
    include_str!("../../python/charts/numbers.py"),
);
