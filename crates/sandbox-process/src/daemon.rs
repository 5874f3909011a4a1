//! The daemon in this process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sandbox_engine::Engine;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// An embedded daemon, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    engine: Engine,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Daemon {
    /// `task` serves `engine` until `stop` is sent or dropped.
    pub(crate) fn new(engine: Engine, stop: oneshot::Sender<()>, task: JoinHandle<()>) -> Self {
        Self {
            engine,
            stop: Mutex::new(Some(stop)),
            task: Mutex::new(Some(task)),
        }
    }

    /// Kills the command that this process leads, and waits for its end.
    pub(crate) fn kill(&self, pid: u32) {
        self.engine.kill_run(pid);
    }

    /// Ends the daemon, and waits until everything that it ran has ended.
    pub(crate) async fn shutdown(&self) {
        self.stop();
        let task = lock(&self.task).take();
        if let Some(task) = task {
            // A panic of the task was reported, and the task has ended.
            let _ = task.await;
        }
    }

    fn stop(&self) {
        if let Some(stop) = lock(&self.stop).take() {
            // The task may have ended already.
            let _ = stop.send(());
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
        // Not left to the daemon's task: the runtime may end before it polls that again.
        self.engine.kill();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
