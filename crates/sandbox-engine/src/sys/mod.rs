//! Kernel calls that the safe crates do not wrap: the only home of `unsafe` in the workspace.

#![expect(
    unsafe_code,
    reason = "this module is where the workspace keeps its kernel calls"
)]

pub(crate) mod before_main;
pub(crate) use before_main::owned as given;
mod born;
mod channel;
mod child;
mod exit;
mod fds;
mod fork;
mod heap;
mod isolation;
mod limit;
mod locale;
mod mapping;
mod message;
mod pidfd;
mod priority;
mod secret;
mod slots;
mod spawn;
mod terminal;

pub(crate) use channel::Channel;
pub(crate) use child::{ended_child, group_of, reap, session_of};
pub(crate) use exit::exit_now;
pub use fds::close_on_exec_from;
pub(crate) use fds::sealed_memory;
pub(crate) use fork::fork;
pub use heap::{return_freed_memory, return_large_memory};
pub(crate) use isolation::{
    Below, block_signals, close_all_but, die_by, execute, filter_system_calls, fork_process,
    fork_to_execute, give_up_terminal, make_private, set_mount_attributes, start_loopback,
    unblock_signals, unshare,
};
pub(crate) use limit::realtime_limits;
pub(crate) use locale::{C_UTF8, has_c_utf8};
pub(crate) use mapping::Mapping;
pub(crate) use message::{MESSAGE_FDS, number_from_zero, receive_fd, receive_fds, send_with_fds};
pub(crate) use pidfd::PidFd;
pub(crate) use priority::io_priority;
#[cfg(test)]
pub(crate) use priority::set_io_priority;
pub use secret::{SecretError, forbid_inspection, take_secret};
pub(crate) use spawn::{Birth, Entry, Group, NotStarted, Source, Start, spawn};
pub(crate) use terminal::{Terminal, Transfer, transfer};
