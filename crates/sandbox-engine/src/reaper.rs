//! Reaps processes that lost their parents and became this process's children.
//!
//! That happens to process 1 of a container, and to a subreaper (`PR_SET_CHILD_SUBREAPER`). Nothing else waits for them, so
//! each would remain a zombie. Processes that this process started are listed, and left to their own tasks.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitpid};
use tokio::signal::unix::{self, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::procfs::{self, Stat};
use crate::sys::Birth;

/// The children that this process started itself and has not reaped yet.
#[derive(Debug, Default)]
pub(crate) struct OwnChildren {
    started: HashSet<u32>,
    starting: Vec<Arc<Birth>>,
}

/// Returns the list, locked.
///
/// The lock is not held while a child enters its directory and executes its program, which a file system can block
/// forever. A child that ends immediately is not taken for an orphan: it is among those that are being started.
pub(crate) fn own_children() -> MutexGuard<'static, OwnChildren> {
    static CHILDREN: LazyLock<Mutex<OwnChildren>> = LazyLock::new(Mutex::default);
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OwnChildren {
    pub(crate) fn insert(&mut self, pid: u32) {
        self.started.insert(pid);
    }

    pub(crate) fn remove(&mut self, pid: u32) {
        self.started.remove(&pid);
    }

    /// Adds a child that is about to be started.
    pub(crate) fn begin(&mut self, birth: &Arc<Birth>) {
        self.starting.push(Arc::clone(birth));
    }

    /// Lists a child that was `started` under its number, or reaps the child of a failed start.
    pub(crate) fn end(&mut self, birth: &Arc<Birth>, started: Option<u32>) {
        self.starting.retain(|other| !Arc::ptr_eq(other, birth));
        let created = Pid::from_raw(birth.pid.swap(0, Ordering::SeqCst));
        match (started, created) {
            (Some(pid), _) => self.insert(pid),
            // It has ended without executing a program.
            (None, Some(created)) => {
                let _ = waitpid(Some(created), WaitOptions::empty());
            }
            (None, None) => {}
        }
    }

    fn contains(&self, pid: u32) -> bool {
        let is_it = |birth: &Arc<Birth>| {
            let number = birth.pid.load(Ordering::SeqCst);
            u32::try_from(number) == Ok(pid)
        };
        self.started.contains(&pid) || self.starting.iter().any(is_it)
    }
}

/// Ends a child that is still being started, whether or not it exists yet.
pub(crate) fn abandon(birth: &Birth) {
    // The child reads this when it runs: it either ends by itself or has a number here.
    birth.is_abandoned.store(true, Ordering::SeqCst);
    // It is not reaped while the list is locked, so the number cannot be another process's.
    let own = own_children();
    if let Some(pid) = Pid::from_raw(birth.pid.load(Ordering::SeqCst)) {
        let _ = kill_process(pid, Signal::KILL);
    }
    drop(own);
}

/// Runs `work` while this process is no subreaper, so that an orphan which it creates is adopted above this process. Other
/// orphans of that moment are as well, and are reaped there.
pub(crate) fn without_adoption<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    // Held, so that no other thread of the engine changes it meanwhile, and the reaper leaves the child that `work` waits for.
    let own = own_children();
    let subreaper = rustix::process::child_subreaper()?;
    if subreaper.is_some() {
        rustix::process::set_child_subreaper(None)?;
    }
    let done = work();
    if subreaper.is_some() {
        rustix::process::set_child_subreaper(subreaper)?;
    }
    drop(own);
    done
}

/// Reaps orphans until it is stopped.
#[derive(Debug)]
pub(crate) struct Reaper {
    ended: unix::Signal,
}

impl Reaper {
    /// Makes this process the one that adopts orphans below it.
    pub(crate) fn begin() -> io::Result<Self> {
        // First, so that none is missed.
        let ended = signal(SignalKind::child())?;
        let own = own_children();
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        drop(own);
        Ok(Self { ended })
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            // One signal may stand for many exits.
            if let Err(panic) = tokio::task::spawn_blocking(reap).await {
                tracing::error!(%panic, "reaping failed");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                next = self.ended.recv() => if next.is_none() {
                    return;
                },
            }
        }
    }
}

fn reap() {
    let me = std::process::id();
    for pid in procfs::pids() {
        let orphan = |stat: &Stat| stat.parent == me && stat.state == b'Z';
        // Locked for each check, and no longer: a thread that starts a process waits for it.
        if Stat::of(pid).is_none_or(|stat| !orphan(&stat)) || own_children().contains(pid) {
            continue;
        }
        let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            continue;
        };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        if let Err(error) = rustix::process::waitid(WaitId::Pid(id), options) {
            tracing::debug!(pid, %error, "cannot reap an orphan");
        }
    }
}
