//! Reaps processes that lost their parents and became this process's children.
//!
//! That happens to process 1 of a container, and to a subreaper (`PR_SET_CHILD_SUBREAPER`). Nothing else waits for them, so
//! each would remain a zombie. Processes that this process started are listed, and left to their own tasks.
//!
//! The kernel is asked for a child that has ended, which costs the same however many processes there are; a walk through
//! `/proc` at every exit would take a core beside 1,000 sessions.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitpid};
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::sync::lock;
use crate::sys::{self, Birth};

/// The children that this process started itself and has not reaped yet.
#[derive(Debug, Default)]
pub(crate) struct OwnChildren {
    started: HashSet<u32>,
    starting: Vec<Arc<Birth>>,
    /// Whether the reaper waits until one of these has been reaped by its task.
    is_awaited: bool,
}

/// Notified when a child that hid orphans from the reaper has been reaped.
static REVEALED: Notify = Notify::const_new();

/// Returns the list, locked.
///
/// The lock is not held while a child enters its directory and executes its program, which a file system can block
/// forever. A child that ends immediately is not taken for an orphan: it is among those that are being started.
fn own_children() -> MutexGuard<'static, OwnChildren> {
    static CHILDREN: LazyLock<Mutex<OwnChildren>> = LazyLock::new(Mutex::default);
    lock(&CHILDREN)
}

impl OwnChildren {
    fn remove(&mut self, pid: u32) {
        self.started.remove(&pid);
        self.reveal();
    }

    fn reveal(&mut self) {
        if std::mem::take(&mut self.is_awaited) {
            REVEALED.notify_one();
        }
    }

    fn contains(&self, pid: Pid) -> bool {
        let is_it =
            |birth: &Arc<Birth>| birth.pid.load(Ordering::SeqCst) == pid.as_raw_nonzero().get();
        self.started.contains(&number(pid)) || self.starting.iter().any(is_it)
    }
}

/// The entry of a child in the list of the children that this process reaps itself. Without it the child is an orphan, which
/// the reaper reaps.
#[derive(Debug)]
pub(crate) struct OwnChild(Option<u32>);

impl OwnChild {
    /// Lists a process that is, or may become, a child of this one.
    pub(crate) fn of(pid: u32) -> Self {
        own_children().started.insert(pid);
        Self(Some(pid))
    }

    /// Runs `start`, which starts the child of `birth`, and lists the child. If it fails, reaps the child if there was one.
    pub(crate) fn start<E>(
        birth: &Arc<Birth>,
        start: impl FnOnce() -> Result<Pid, E>,
    ) -> Result<(Pid, Self), E> {
        own_children().starting.push(Arc::clone(birth));
        let started = start();
        let mut own = own_children();
        own.starting.retain(|other| !Arc::ptr_eq(other, birth));
        let created = Pid::from_raw(birth.pid.swap(0, Ordering::SeqCst));
        match (started, created) {
            (Ok(pid), _) => {
                own.started.insert(number(pid));
                Ok((pid, Self(Some(number(pid)))))
            }
            (Err(error), created) => {
                // It has ended without executing a program.
                if let Some(created) = created {
                    let _ = waitpid(Some(created), WaitOptions::empty());
                    own.reveal();
                }
                Err(error)
            }
        }
    }

    /// Runs `reap` and removes the entry in one step: off the list the child would be an orphan, and after it is reaped its
    /// number may be another's.
    pub(crate) fn reap<T>(mut self, reap: impl FnOnce() -> T) -> T {
        let mut own = own_children();
        let reaped = reap();
        if let Some(pid) = self.0.take() {
            own.remove(pid);
        }
        reaped
    }
}

impl Drop for OwnChild {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            own_children().remove(pid);
        }
    }
}

fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
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
            while reap_one() {
                // However many orphans there are, the other tasks of this thread get their turn.
                tokio::task::coop::consume_budget().await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                // One signal may stand for many exits.
                next = self.ended.recv() => if next.is_none() {
                    return;
                },
                () = REVEALED.notified() => {}
            }
        }
    }
}

/// Reaps an orphan that has ended, and returns whether there was one.
fn reap_one() -> bool {
    // Locked meanwhile, so that an own child is not reaped in between, and its number another's.
    let mut own = own_children();
    let Some(pid) = sys::ended_child() else {
        return false;
    };
    if own.contains(pid) {
        // The kernel returns no other until this one has been reaped.
        own.is_awaited = true;
        return false;
    }
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let reaped = rustix::process::waitid(WaitId::Pid(pid), options);
    if let Err(error) = &reaped {
        tracing::debug!(?pid, %error, "cannot reap an orphan");
    }
    reaped.is_ok()
}
