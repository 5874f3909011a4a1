//! Reaps processes that lost their parents and became this process's children.
//!
//! That happens to process 1 of a container, and to a subreaper (`PR_SET_CHILD_SUBREAPER`). Nothing else waits for them, so
//! each would remain a zombie. Processes that this process started are listed, and left to their own tasks.

use std::collections::HashSet;
use std::io;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, WaitId, WaitIdOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::procfs::{self, Stat};

/// The children that [`Direct`](crate::spawner::Direct) started and has not reaped yet.
///
/// Held from before a child is started until it is listed: one that ends immediately must not be taken for an orphan.
pub(crate) fn own_children() -> MutexGuard<'static, HashSet<u32>> {
    static CHILDREN: LazyLock<Mutex<HashSet<u32>>> = LazyLock::new(Mutex::default);
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
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
    ended: Signal,
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
        if Stat::of(pid).is_none_or(|stat| !orphan(&stat)) || own_children().contains(&pid) {
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
