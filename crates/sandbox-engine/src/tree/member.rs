//! A process of a set, and signals for exactly that process.

use std::io;

use rustix::process::{PidfdFlags, Signal};

use crate::procfs::{Stat, process_id};
use crate::sys::PidFd;
use crate::tag::Tag;

/// A live process, distinguished from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) start: u64,
    pub(super) state: u8,
    pub(super) proof: Proof,
}

/// The distinction of a process from a later one with the same number: that one has another tag, or another start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Tag(Tag),
    Start(u64),
}

impl Proof {
    pub(super) fn holds(self, pid: u32) -> bool {
        match self {
            Self::Tag(tag) => Tag::of(pid) == Some(tag),
            Self::Start(start) => Stat::of(pid).is_some_and(|stat| stat.start == start),
        }
    }
}

impl Member {
    pub(super) fn new(stat: &Stat, tag: Option<Tag>) -> Option<Self> {
        stat.is_live().then(|| Self {
            pid: stat.pid,
            parent: stat.parent,
            start: stat.start,
            state: stat.state,
            proof: tag.map_or(Proof::Start(stat.start), Proof::Tag),
        })
    }

    /// Returns whether the process is running, runnable, or in an uninterruptible system call: it may still write.
    pub(super) fn is_busy(self) -> bool {
        matches!(self.state, b'R' | b'D')
    }

    /// Waits until the process has ended, or cannot be watched.
    pub(super) async fn ended(self) {
        if let Ok(pid) = process_id(self.pid)
            && let Ok(pidfd) = PidFd::open(pid)
            && self.proof.holds(self.pid)
        {
            let _ = pidfd.ended().await;
        }
    }

    pub(super) fn signal(self, signal: Signal) -> bool {
        Self::send(self.pid, self.proof, signal)
    }

    /// Signals exactly this process, and returns whether it did; one that has ended meanwhile is not an error.
    pub(super) fn send(pid: u32, proof: Proof, signal: Signal) -> bool {
        match try_send(pid, proof, signal) {
            Ok(is_sent) => return is_sent,
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                tracing::warn!(pid, ?signal, "not allowed to signal a process");
            }
            // The process has ended, or the number is a thread's, whose process has another.
            Err(error) => tracing::trace!(pid, %error, "cannot signal a process"),
        }
        false
    }
}

/// Signals a process unless its number has been reused, and returns whether it did.
fn try_send(number: u32, proof: Proof, signal: Signal) -> io::Result<bool> {
    // The descriptor always names the same process; if it is not the one that was found, that one has ended.
    let pidfd = rustix::process::pidfd_open(process_id(number)?, PidfdFlags::empty())?;
    let holds = proof.holds(number);
    if holds {
        rustix::process::pidfd_send_signal(&pidfd, signal)?;
    }
    Ok(holds)
}
