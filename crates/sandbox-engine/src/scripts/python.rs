//! The scripts that Python runs for the engine.

/// Runs a program as a file of its own.
pub(crate) const BOOT: &str = include_str!("../../python/boot.py");

/// Reads charts out of what a program draws.
pub(crate) const CHARTS: &str = include_str!("../../python/charts.py");
