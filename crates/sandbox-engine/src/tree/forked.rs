//! Processes that a signal has met between `fork(2)` and `execve(2)`.
//!
//! Until such a process resets its signals, it has the handlers of its parent. A shell's handler notes the signal in the
//! memory of the shell, which is discarded when the program is executed: the signal is lost. So it is sent again after that, if
//! it is known that the program has not received it.

use std::time::Duration;

use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use super::member::{Member, Proof};
use crate::limits::SIGNAL_WAIT;
use crate::procfs::{Signals, Stat};

/// A process that has executed no program when it was signaled, and that did not have the signal's default effect.
#[derive(Debug)]
pub(super) struct Forked {
    pid: u32,
    start: u64,
    signal: Signal,
    /// Whether the process has received the signal before it has executed a program.
    is_received: bool,
}

impl Forked {
    /// Returns the process if it is to be followed after it is signaled.
    ///
    /// One that was forked long before `now` is not: it is a program of its own, such as a worker of a server, which handles the
    /// signal, and may do so by executing itself anew.
    pub(super) fn of(pid: u32, signal: Signal, now: u64) -> Option<Self> {
        let stat = Stat::of(pid).filter(|stat| stat.is_forked)?;
        let is_new = now.saturating_sub(stat.start) < ticks(SIGNAL_WAIT);
        (is_new && Signals::of(pid)?.has_own_effect(signal)).then_some(Self {
            pid,
            start: stat.start,
            signal,
            is_received: false,
        })
    }

    /// Looks at the process after it was signaled; sends the signal again if its program has missed it. Returns whether to
    /// look again.
    pub(super) fn look(&mut self) -> bool {
        // In this order: signals that are read before the process is found to have executed nothing are not a program's.
        let signals = Signals::of(self.pid);
        let stat = Stat::of(self.pid).filter(|stat| stat.is_live() && stat.start == self.start);
        let (Some(signals), Some(stat)) = (signals, stat) else {
            return false;
        };
        if stat.is_forked {
            self.is_received |= !signals.has_pending(self.signal);
            return true;
        }
        // These are the program's.
        let signals = Signals::of(self.pid);
        if signals.is_some_and(|signals| self.is_missed_by(signals)) {
            Member::send(self.pid, Proof::Start(self.start), self.signal);
        }
        false
    }

    /// Returns whether the program that the process has executed has certainly not received the signal.
    ///
    /// A signal that was pending when the program was executed still is, or has ended the process, unless the program has a
    /// handler for it. That handler may have received it; if so, the program must not be signaled again.
    fn is_missed_by(&self, program: Signals) -> bool {
        let is_underway = program.has_pending(self.signal) || program.has_pending(Signal::KILL);
        self.is_received || !is_underway && !program.has_own_effect(self.signal)
    }
}

/// Looks at the processes until each has executed a program or has ended, for [`SIGNAL_WAIT`] at most. Nothing wakes a process
/// when another one executes a program, so the looks are repeated, at intervals that grow.
pub(super) fn follow(mut forked: Vec<Forked>) {
    if forked.is_empty() {
        return;
    }
    let began = Instant::now();
    tokio::spawn(async move {
        while !forked.is_empty() && began.elapsed() < SIGNAL_WAIT {
            tokio::time::sleep((began.elapsed() / 4).max(LOOK_AGAIN)).await;
            let looked = tokio::task::spawn_blocking(move || {
                forked.retain_mut(Forked::look);
                forked
            });
            match looked.await {
                Ok(left) => forked = left,
                Err(error) => return tracing::debug!(%error, "a signal is not followed"),
            }
        }
    });
}

/// Returns the time since boot, in clock ticks as in [`Stat::start`].
pub(super) fn ticks_since_boot() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    Duration::try_from(now).map_or(0, ticks)
}

fn ticks(time: Duration) -> u64 {
    time.as_secs() * TICKS_PER_SECOND + u64::from(time.subsec_millis()) * TICKS_PER_SECOND / 1000
}

/// What the kernel reports times in, on every architecture of ours.
const TICKS_PER_SECOND: u64 = 100;

/// The shortest interval between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::parse_signals;

    #[test]
    fn only_a_program_without_the_signal_is_signaled_again() {
        let missed = |is_received, pending: u64, caught: u64| {
            let status =
                format!("SigPnd:\t0\nShdPnd:\t{pending:x}\nSigIgn:\t0\nSigCgt:\t{caught:x}\n");
            let forked = Forked {
                pid: 1,
                start: 0,
                signal: Signal::TERM,
                is_received,
            };
            forked.is_missed_by(parse_signals(status.as_bytes()).unwrap())
        };
        const TERM: u64 = 1 << 14;
        const KILL: u64 = 1 << 8;
        assert!(missed(false, 0, 0));
        assert!(!missed(false, TERM, 0) && !missed(false, KILL, 0));
        assert!(!missed(false, 0, TERM) && !missed(false, TERM, TERM));
        assert!(missed(true, 0, 0) && missed(true, 0, TERM));
    }

    #[test]
    fn a_program_is_not_followed() {
        let now = ticks_since_boot();
        let me = std::process::id();
        let start = Stat::of(me).unwrap().start;
        assert!((start..start + ticks(Duration::from_secs(3600))).contains(&now));
        assert!(Forked::of(me, Signal::SEGV, start).is_none());
        assert!(Signals::of(me).unwrap().has_own_effect(Signal::SEGV));
    }
}
