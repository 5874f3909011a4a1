//! The subcommands.

pub(crate) mod background;
pub(crate) mod cat;
pub(crate) mod change;
mod command;
pub(crate) mod cp;
pub(crate) mod create;
pub(crate) mod doctor;
mod each;
pub(crate) mod exec;
pub(crate) mod follow;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod manual;
pub(crate) mod mkdir;
pub(crate) mod pty;
pub(crate) mod repl;
pub(crate) mod rm;
pub(crate) mod run;
pub(crate) mod session;
pub(crate) mod up;

/// Returns an id for a session or a terminal. Short, since people type it.
fn random_id() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id[..8].to_owned()
}
