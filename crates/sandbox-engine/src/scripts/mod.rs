//! The embedded scripts in which runtimes begin: used by both the programs of an engine and its warm starts.

pub(crate) mod node;
pub(crate) mod python;
