//! Isolated processes: what they see, what they may change, and how they end.

mod bwrap;
mod escape;
mod kinds;
mod landlock;
mod network;
mod runs;
mod view;

use std::path::PathBuf;

use sandbox_engine::isolation::{Isolation, IsolationError};
use sandbox_engine::{Engine, ExecError, Outcome, RunOptions};

use crate::guard::{eventually, text};

/// This program for [`repeat`](crate::guard::repeat), also where its path cannot be reached.
const SELF: &str = "/proc/self/exe";

/// Returns whether this machine lets processes be isolated; if not, says that a test is skipped.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
async fn can_isolate() -> bool {
    let work_dir = tempfile::tempdir().unwrap();
    let engine = Engine::builder().work_dir(work_dir.path()).build().unwrap();
    match engine.probe_isolation(&Isolation::strict()).await {
        Ok(_) => true,
        Err(error) => {
            eprintln!("skipped: {error}: {}", error.help().unwrap_or_default());
            false
        }
    }
}

/// Returns whether this machine allows an isolation; if not, says that a test is skipped.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
async fn can_have(machine: &Machine, isolation: &Isolation) -> bool {
    match machine.engine.probe_isolation(isolation).await {
        Ok(level) => level == isolation.level(),
        Err(error) => {
            eprintln!("skipped: {error}: {}", error.help().unwrap_or_default());
            false
        }
    }
}

/// An engine with a working directory of its own, which is removed with it.
struct Machine {
    engine: Engine,
    work_dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let work_dir = tempfile::tempdir().unwrap();
        let engine = Engine::builder()
            .shell("/bin/bash")
            .work_dir(work_dir.path())
            .build()
            .unwrap();
        Self { engine, work_dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work_dir.path().join(name)
    }

    async fn try_run(&self, isolation: &Isolation, command: &str) -> Result<Outcome, ExecError> {
        let options = RunOptions {
            isolation: Some(isolation.clone()),
            ..RunOptions::default()
        };
        self.engine.exec(command, options).await
    }

    async fn run(&self, isolation: &Isolation, command: &str) -> Outcome {
        self.try_run(isolation, command).await.unwrap()
    }

    /// Waits until a launcher is ready for the next run with this isolation.
    async fn warm(&self, isolation: &Isolation) {
        if !self.engine.has_spare_launcher() {
            self.run(isolation, ":").await;
            eventually("a launcher is ready", || self.engine.has_spare_launcher()).await;
        }
    }

    /// Returns why this engine isolates nothing so.
    async fn refuses(&self, isolation: &Isolation) -> IsolationError {
        self.engine.probe_isolation(isolation).await.unwrap_err()
    }

    /// Runs a command in the strictest isolation, in a launcher that was started ahead, and compares its output.
    async fn check(&self, command: &str, expect: &str) {
        self.warm(&Isolation::strict()).await;
        let outcome = self.run(&Isolation::strict(), command).await;
        assert_eq!(
            text(&outcome),
            expect,
            "{command}: {:?}",
            outcome.termination
        );
    }
}
