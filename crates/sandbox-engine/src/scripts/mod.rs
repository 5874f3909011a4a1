//! The scripts in which runtimes begin, embedded: what both the programs of an engine and its warm starts are made of.

pub(crate) mod node;
pub(crate) mod python;
