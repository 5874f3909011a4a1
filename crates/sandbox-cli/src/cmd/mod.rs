//! The subcommands.

pub(crate) mod background;
pub(crate) mod cat;
pub(crate) mod change;
pub(crate) mod cp;
pub(crate) mod create;
pub(crate) mod doctor;
mod each;
pub(crate) mod exec;
pub(crate) mod list;
pub(crate) mod ls;
pub(crate) mod manual;
pub(crate) mod mkdir;
pub(crate) mod pty;
pub(crate) mod repl;
pub(crate) mod rm;
pub(crate) mod run;
pub(crate) mod session;
pub(crate) mod up;
