//! Shell sessions, in every shell.

mod differential;
mod filed;
mod processes;
mod shells;
mod signals;
mod vocabulary;
mod wrapper;

use std::path::PathBuf;

use sandbox_engine::record::Piece;
use sandbox_engine::{
    Command, CommandOptions, Engine, Environment, Session, SessionOptions, Termination,
};
use sandbox_logcodec::Channel;

use crate::guard::PATIENCE;

/// What a command waits by for [`Fixture::go`]. It takes that away, for the next one.
pub(crate) const UNTIL_GO: &str = "while ! [ -e go ]; do sleep 0.01; done; rm go";

/// A session that must be deleted by the test, and an engine of its own.
pub(crate) struct Fixture {
    pub(crate) engine: Engine,
    pub(crate) session: Session,
    pub(crate) shell: &'static str,
    pub(crate) dir: tempfile::TempDir,
}

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Did {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) termination: Termination,
}

impl Fixture {
    pub(crate) async fn new(shell: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let work_dir = std::fs::canonicalize(dir.path()).unwrap();
        let mut environment = Environment::of_this_process();
        environment.set("H", crate::helper::program());
        let engine = Engine::builder()
            .shell(shell)
            .environment(environment)
            .work_dir(work_dir)
            .build()
            .unwrap();
        let session = engine
            .sessions()
            .create("s", SessionOptions::default())
            .await
            .unwrap();
        Self {
            engine,
            session,
            shell,
            dir,
        }
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, text: &str) -> Did {
        self.run_with(text, CommandOptions::default()).await
    }

    pub(crate) async fn run_with(&self, text: &str, options: CommandOptions) -> Did {
        let command = self.session.execute(text, options).unwrap();
        self.see(&command, text).await
    }

    /// Waits for a command to end.
    pub(crate) async fn see(&self, command: &Command, text: &str) -> Did {
        let termination = tokio::time::timeout(PATIENCE, command.ended())
            .await
            .unwrap_or_else(|_| panic!("{}: hangs: {text}", self.shell));
        let [stdout, stderr] = output(command).await;
        Did {
            stdout,
            stderr,
            termination,
        }
    }

    /// Runs a command that must exit with 0 and write nothing to stderr; what it wrote to stdout.
    pub(crate) async fn ok(&self, text: &str) -> String {
        let did = self.run(text).await;
        assert_eq!(
            did.termination,
            exited(0),
            "{}: {text}: {did:?}",
            self.shell
        );
        assert_eq!(did.stderr, "", "{}: {text}", self.shell);
        did.stdout
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.engine.work_dir().join(name)
    }

    /// Lets a command go on that waits by [`UNTIL_GO`].
    pub(crate) fn go(&self) {
        std::fs::write(self.path("go"), "").unwrap();
    }

    pub(crate) async fn end(self) {
        self.engine.sessions().delete("s").await;
        self.engine.shutdown().await;
        drop(self.dir);
    }
}

/// What a command has written by now.
pub(crate) async fn output(command: &Command) -> [String; 2] {
    let mut channels = [Vec::new(), Vec::new()];
    let mut cursor = command.record().snapshot(0).unwrap();
    while let Some(piece) = cursor.next().await {
        match piece {
            Piece::Data { channel, bytes, .. } => {
                channels[usize::from(channel == Channel::Stderr)].extend_from_slice(&bytes);
            }
            Piece::Gap { .. } => panic!("a gap"),
        }
    }
    channels.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) fn exited(code: i32) -> Termination {
    Termination::Exited { code }
}
