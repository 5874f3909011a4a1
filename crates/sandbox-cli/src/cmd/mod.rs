//! The subcommands.

pub(crate) mod background;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod manual;
pub(crate) mod pty;
pub(crate) mod repl;
pub(crate) mod run;
pub(crate) mod session;
