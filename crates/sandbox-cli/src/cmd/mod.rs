//! The subcommands.

pub(crate) mod exec;
pub(crate) mod run;
