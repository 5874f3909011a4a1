//! Terminals, without a socket.

mod readers;
mod shells;
mod typing;

use std::time::Duration;

use bytes::Bytes;
use sandbox_engine::record::Piece;
use sandbox_engine::{Engine, Environment, Pty, PtyInput, PtyOptions, PtyOutput, Termination};

/// An engine whose shells have a home of their own, so that no user's profile is read.
pub(crate) struct Home {
    pub(crate) engine: Engine,
    pub(crate) directory: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(
        change: impl FnOnce(sandbox_engine::EngineBuilder) -> sandbox_engine::EngineBuilder,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut environment = Environment::of_this_process();
        environment.set("HOME", directory.path());
        // It would report the size of the terminal in which the tests run.
        environment.set("COLUMNS", "7");
        let builder = Engine::builder()
            .shell("/bin/bash")
            .work_dir(directory.path())
            .environment(environment);
        let engine = change(builder).build().unwrap();
        Self { engine, directory }
    }

    pub(crate) async fn pty(&self, id: &str) -> User {
        let pty = self.engine.ptys().create(id, PtyOptions::default()).await;
        User::of(pty.unwrap())
    }
}

/// A client that watches a terminal and types.
pub(crate) struct User {
    pub(crate) pty: Pty,
    pub(crate) output: PtyOutput,
    pub(crate) input: PtyInput,
    /// What was shown so far.
    pub(crate) seen: Vec<u8>,
    /// Bytes that were not kept.
    pub(crate) missed: u64,
}

impl User {
    pub(crate) fn of(pty: Pty) -> Self {
        Self {
            output: pty.output(None).unwrap(),
            input: pty.input(),
            pty,
            seen: Vec::new(),
            missed: 0,
        }
    }

    pub(crate) async fn types(&self, text: &str) {
        self.input
            .write(Bytes::from(text.to_owned()))
            .await
            .unwrap();
    }

    /// Reads until `text` is shown after what was waited for before, and returns what came up to it.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let waiting = async {
            loop {
                let found = self
                    .seen
                    .windows(text.len())
                    .position(|window| window == text.as_bytes());
                if let Some(at) = found {
                    let rest = self.seen.split_off(at + text.len());
                    let seen = std::mem::replace(&mut self.seen, rest);
                    return String::from_utf8_lossy(&seen).into_owned();
                }
                assert!(self.read().await, "it ended");
            }
        };
        let shown = tokio::time::timeout(LONG, waiting).await;
        match shown {
            Ok(shown) => shown,
            Err(_) => panic!("no {text:?} in {:?}", String::from_utf8_lossy(&self.seen)),
        }
    }

    /// Reads up to the end.
    pub(crate) async fn read_to_end(&mut self) -> Termination {
        let reading = async {
            while self.read().await {}
            self.pty.ended().await
        };
        tokio::time::timeout(LONG, reading).await.expect("an end")
    }

    async fn read(&mut self) -> bool {
        match self.output.next().await {
            Some(Piece::Data { bytes, .. }) => self.seen.extend_from_slice(&bytes),
            Some(Piece::Gap { length, .. }) => self.missed += length,
            None => return false,
        }
        true
    }
}

/// For what takes no time on a machine that has nothing else to do.
pub(crate) const LONG: Duration = Duration::from_secs(20);
