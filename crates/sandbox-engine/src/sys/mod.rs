//! Kernel calls that the safe crates do not wrap: the only home of `unsafe` in the workspace.

#![expect(
    unsafe_code,
    reason = "this module is where the workspace keeps its kernel calls"
)]

#[cfg(feature = "typescript")]
pub(crate) mod before_main;
mod channel;
mod child;
#[cfg(feature = "typescript")]
mod exit;
mod fds;
mod fork;
mod heap;
mod limit;
mod locale;
mod mapping;
mod pidfd;
mod secret;
mod slots;
mod spawn;
mod terminal;

pub(crate) use channel::Channel;
pub(crate) use child::ended_child;
#[cfg(feature = "typescript")]
pub(crate) use exit::exit_now;
pub use fds::close_on_exec_from;
pub(crate) use fds::sealed_memory;
pub(crate) use fork::fork;
pub use heap::{return_freed_memory, return_large_memory};
pub(crate) use limit::realtime_limits;
pub(crate) use locale::{C_UTF8, has_c_utf8};
pub(crate) use mapping::Mapping;
pub(crate) use pidfd::PidFd;
pub use secret::{SecretError, forbid_inspection, take_secret};
pub(crate) use spawn::{Birth, Group, NotStarted, Source, Start, spawn};
pub(crate) use terminal::{Terminal, Transfer, transfer};
