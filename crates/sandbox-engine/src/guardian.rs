//! A child process that ends what an engine has started, should this process end without doing so.
//!
//! A daemon can be killed by KILL, abort, or run out of memory. Its processes would continue, with no reader and nothing to
//! end them. A parent-death signal does not suffice: it reaches only direct children of this process, and is sent when the
//! *thread* that started them ends. So each engine has a guardian, which only waits for the end of this process, and
//! then kills every process that carries a label of the engine, regardless of its parents, group and session.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, RawDir};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal,
};

use crate::limits::KILL_WAIT;
use crate::reaper;
use crate::sync::lock;
use crate::sys;
use crate::tag::Instance;

/// The guardian of one engine. It is no child of this process: a process that waits for all its children, or lists them, does
/// not see it. Dropping this ends it; the engine's processes are then left alone.
#[derive(Debug)]
pub(crate) struct Guardian {
    instance: Instance,
    process: Mutex<Option<Process>>,
}

#[derive(Debug)]
struct Process {
    pid: Pid,
    pidfd: OwnedFd,
    /// Closed by the system when this process ends, and when it executes another program.
    _held: OwnedFd,
}

impl Guardian {
    pub(crate) fn new(instance: Instance) -> Self {
        Self {
            instance,
            process: Mutex::default(),
        }
    }

    /// Starts the guardian, unless it is running: a program of a run may have killed it.
    pub(crate) fn ensure(&self) -> io::Result<()> {
        let mut process = lock(&self.process);
        if process.as_ref().is_some_and(Process::is_alive) {
            return Ok(());
        }
        *process = None;
        *process = Some(Process::start(self.instance)?);
        Ok(())
    }

    /// Returns the guardian's process id, if it was started.
    pub(crate) fn pid(&self) -> Option<u32> {
        let process = lock(&self.process);
        process.as_ref().map(Process::number)
    }
}

impl Process {
    fn start(instance: Instance) -> io::Result<Self> {
        let (ended, held) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // Besides the pipe, which a forked copy of this process, not our child, may hold open.
        let me = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
        let ends = [me.as_fd(), ended.as_fd()];
        let (pid, pidfd) =
            reaper::without_adoption(|| sys::fork(c"sandbox-guard", guard, instance, ends))?;
        Ok(Self {
            pid,
            pidfd,
            _held: held,
        })
    }

    fn is_alive(&self) -> bool {
        !is_readable(&self.pidfd)
    }

    fn number(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guardian may be stopped, and then handles no other signal.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        if !ends_within(&self.pidfd, KILL_WAIT) {
            tracing::warn!(pid = self.number(), "a killed guardian does not end");
        }
        // It is a child of this process only if that is process 1; and the reaper may have reaped it first.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let _ = rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), options);
    }
}

/// Waits for the end of a pidfd's process; returns whether it has ended within `limit`.
fn ends_within(pidfd: &OwnedFd, limit: Duration) -> bool {
    let give_up = Instant::now() + limit;
    loop {
        let left = give_up.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or_default();
        let mut ends = [PollFd::new(pidfd, PollFlags::IN)];
        match poll(&mut ends, Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(count) => return count > 0,
            Err(_) => return false,
        }
    }
}

// Everything below runs in the forked child: nothing allocates, locks or panics.

/// Runs the guardian: waits for the end of the parent, then kills the instance's processes.
fn guard(instance: Instance, [parent, pipe]: [BorrowedFd<'_>; 2]) {
    // A tag of its own, so that it is not ended with the run that this process itself may be a part of.
    let (soft, _) = instance.guardians().limits();
    let own = Rlimit {
        current: Some(soft),
        ..rustix::process::getrlimit(Resource::Rttime)
    };
    let _ = rustix::process::setrlimit(Resource::Rttime, own);
    let mut ends = [
        PollFd::from_borrowed_fd(parent, PollFlags::IN),
        PollFd::from_borrowed_fd(pipe, PollFlags::IN),
    ];
    while poll(&mut ends, None) == Err(rustix::io::Errno::INTR) {}
    let mut quiet = 0;
    // One walk that finds nothing proves little: it may have missed a process that was started meanwhile.
    for _ in 0..MOST_WALKS {
        quiet = if walk(instance) | chase(instance) {
            0
        } else {
            quiet + 1
        };
        if quiet == QUIET_WALKS {
            return;
        }
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: 2_000_000,
        };
        let _ = poll(&mut [], Some(&pause));
    }
}

/// Kills the instance's processes that `/proc` lists; returns whether there were any.
fn walk(instance: Instance) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(directory) = rustix::fs::openat(CWD, c"/proc", flags, Mode::empty()) else {
        return false;
    };
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(directory, &mut buffer);
    let mut found = false;
    while let Some(Ok(entry)) = entries.next() {
        if let Some(number) = number(entry.file_name().to_bytes()) {
            found |= kill(number, instance);
        }
    }
    found
}

/// Kills recently started processes: heirs of those that live too briefly to be found by a walk.
fn chase(instance: Instance) -> bool {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(CWD, c"/proc/loadavg", flags, Mode::empty()) else {
        return false;
    };
    let mut line = [0; 128];
    let Ok(count) = rustix::io::read(&file, &mut line) else {
        return false;
    };
    let mut words = line
        .get(..count)
        .unwrap_or_default()
        .split(u8::is_ascii_whitespace);
    let Some(newest) = words.nth(4).and_then(number) else {
        return false;
    };
    let mut found = false;
    for number in newest.saturating_sub(LATELY)..=newest {
        found |= kill(number, instance);
    }
    found
}

/// Kills a process that carries a label of the instance; returns whether it does, and was alive.
fn kill(number: i32, instance: Instance) -> bool {
    let Some(pid) = Pid::from_raw(number).filter(|pid| instance.has(*pid)) else {
        return false;
    };
    if pid == rustix::process::getpid() {
        return false;
    }
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return false;
    };
    // The number may have been reused meanwhile; the descriptor always names the same process.
    instance.has(pid) && !is_readable(&pidfd) && pidfd_send_signal(&pidfd, Signal::KILL).is_ok()
}

/// Returns whether the process of a pidfd has ended.
fn is_readable(pidfd: &OwnedFd) -> bool {
    let mut ends = [PollFd::new(pidfd, PollFlags::IN)];
    matches!(poll(&mut ends, Some(&Timespec::default())), Ok(count) if count > 0)
}

fn number(digits: &[u8]) -> Option<i32> {
    let add = |sum: i32, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| i32::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    digits.iter().try_fold(0, add).filter(|number| *number > 0)
}

const QUIET_WALKS: u32 = 3;

/// Half a minute: more attempts would not kill what has not ended by then.
const MOST_WALKS: u32 = 15_000;

/// The number of ids before the newest one that are checked.
const LATELY: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_does_not_come_is_not_waited_for_without_end() {
        let me = pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).unwrap();
        let begun = Instant::now();
        let limit = Duration::from_millis(20);
        assert!(!ends_within(&me, limit));
        assert!(begun.elapsed() >= limit);

        let guardian = Process::start(Instance::draw()).unwrap();
        let pidfd = guardian.pidfd.try_clone().unwrap();
        assert!(!ends_within(&pidfd, Duration::ZERO));
        drop(guardian);
        assert!(ends_within(&pidfd, Duration::ZERO));
    }
}
