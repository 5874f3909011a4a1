//! The process that a task owns: waits for its end, and kills it if the task is lost.

use std::fmt;
use std::io;
use std::time::Duration;

use rustix::process::Signal;

use crate::limits::KILL_WAIT;
use crate::procfs::process_id;
use crate::spawner::{Exit, Exited, ProcessUsage, kill_alone};
use crate::tag::Tag;
use crate::termination::Termination;
use crate::tree::Tree;

/// A started process, owned by one task.
///
/// The exit can be awaited any number of times. If this is dropped before the process has ended, because the task panics or
/// the runtime shuts down, the process is killed with its tree: no process runs without an owner.
pub(crate) struct Leader {
    pid: u32,
    tag: Option<Tag>,
    state: State,
}

enum State {
    Runs(Exit),
    /// The exit has been taken; the future must not be polled again.
    Ended(Result<Exited, (io::ErrorKind, String)>),
}

impl Leader {
    pub(crate) fn new(pid: u32, tag: Option<Tag>, exit: Exit) -> Self {
        Self {
            pid,
            tag,
            state: State::Runs(exit),
        }
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the processes of the run that it leads.
    pub(crate) fn tree(&self) -> Tree {
        Tree::of_run(self.pid, self.tag)
    }

    /// Waits until the process has ended, and returns how; immediately if that is known already. Cancel safe.
    pub(crate) async fn ended(&mut self) -> io::Result<Termination> {
        if let State::Runs(exit) = &mut self.state {
            let ended = exit.await;
            self.state = State::Ended(ended.map_err(|error| (error.kind(), error.to_string())));
        }
        match &self.state {
            State::Ended(Ok(exited)) => Ok(exited.termination.clone()),
            State::Ended(Err((kind, text))) => Err(io::Error::new(*kind, text.clone())),
            State::Runs(_) => unreachable!("its exit was awaited"),
        }
    }

    /// Returns what the process has used; `None` before its end was awaited, and if it is not known.
    pub(crate) fn usage(&self) -> Option<ProcessUsage> {
        match &self.state {
            State::Ended(Ok(exited)) => exited.usage,
            _ => None,
        }
    }

    /// Returns the exit, and leaves the process without an owner.
    pub(crate) fn release(mut self) -> Exit {
        let released = State::Ended(Err((io::ErrorKind::Other, String::new())));
        match std::mem::replace(&mut self.state, released) {
            State::Runs(exit) => exit,
            State::Ended(ended) => {
                let ended = ended.map_err(|(kind, text)| io::Error::new(kind, text));
                Box::pin(std::future::ready(ended))
            }
        }
    }

    /// Kills the process, but none of those that it started, and waits for its end.
    ///
    /// # Errors
    ///
    /// As [`killed`](Self::killed).
    pub(crate) async fn kill(&mut self) -> io::Result<Termination> {
        if let State::Runs(_) = self.state {
            kill_alone(self.pid);
        }
        let killed = self.killed().await;
        if matches!(self.state, State::Runs(_)) {
            tracing::warn!(pid = self.pid, "a killed process does not end");
        }
        killed
    }

    /// Waits until a killed process has ended, and returns how.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`TimedOut`](io::ErrorKind::TimedOut) if it has not ended after [`KILL_WAIT`].
    pub(crate) async fn killed(&mut self) -> io::Result<Termination> {
        match tokio::time::timeout(KILL_WAIT, self.ended()).await {
            Ok(ended) => ended,
            Err(_) => Err(undying()),
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        let lost = State::Ended(Err((io::ErrorKind::Other, String::new())));
        let State::Runs(exit) = std::mem::replace(&mut self.state, lost) else {
            return;
        };
        // Immediately, because a runtime that is shutting down runs no more tasks. The process has not been reaped, so the
        // number is still its own.
        if let Ok(group) = process_id(self.pid) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let tree = self.tree();
        unattended(async move {
            tree.end(Duration::ZERO).await;
            // Reaped when the kernel lets it end. Nothing waits for this.
            let _ = exit.await;
        });
    }
}

impl fmt::Debug for Leader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leader")
            .field("pid", &self.pid)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}

/// Returns the error for a killed process that does not end in time.
pub(crate) fn undying() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "a killed process does not end")
}

/// Runs `work` in a task that nothing waits for; drops it where there is no runtime. For destructors, which cannot wait.
pub(crate) fn unattended(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(work);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    /// The id of no process.
    const NOBODY: u32 = i32::MAX as u32;

    #[tokio::test]
    async fn an_exit_can_be_awaited_again() {
        let exited = Termination::Exited { code: 3 };
        let exit = Box::pin(ready(Ok(Exited {
            termination: exited.clone(),
            usage: Some(ProcessUsage::default()),
        })));
        let mut leader = Leader::new(NOBODY, None, exit);
        assert_eq!(leader.usage(), None);
        assert_eq!(leader.ended().await.unwrap(), exited);
        assert_eq!(leader.ended().await.unwrap(), exited);
        assert_eq!(leader.killed().await.unwrap(), exited);
        assert_eq!(leader.usage(), Some(ProcessUsage::default()));

        let lost = Box::pin(async { Err(io::ErrorKind::NotFound.into()) });
        let mut leader = Leader::new(NOBODY, None, lost);
        for _ in 0..2 {
            assert_eq!(
                leader.ended().await.unwrap_err().kind(),
                io::ErrorKind::NotFound
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_killed_process_is_not_waited_for_without_end() {
        let mut leader = Leader::new(NOBODY, None, Box::pin(pending()));
        let error = leader.killed().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
