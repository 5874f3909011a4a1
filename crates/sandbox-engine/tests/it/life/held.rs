//! A file on which another process has a lease, so that opening it blocks, delays only what opens it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sandbox_engine::spawner::{ChildFd, Direct, ProcessGroup, SpawnLimits, SpawnSpec};
use sandbox_engine::{Engine, Environment, RunOptions, Spawner, Termination};
use tokio::time::{Instant, sleep};

/// A program on which a process has a write lease, as the owner of a file can take: opening it blocks until that process
/// releases it, or for 45 s.
struct Held {
    path: PathBuf,
    holder: Child,
    _directory: tempfile::TempDir,
}

impl Held {
    fn new() -> Self {
        const LEASE: &str = "import fcntl, os, signal, sys\n\
            signal.signal(signal.SIGIO, signal.SIG_IGN)\n\
            file = os.open(sys.argv[1], os.O_RDWR)\n\
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
            print('held', flush=True)\n\
            sys.stdin.read()\n";
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        std::fs::write(&path, "#!/bin/sh\nexit 3\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        #[expect(clippy::disallowed_methods, reason = "it is to outlive the engine")]
        let mut holder = Command::new("python3")
            .args(["-c", LEASE])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = holder.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Self {
            path,
            holder,
            _directory: directory,
        }
    }

    /// Releases the file, which remains.
    fn release(&mut self) {
        self.holder.kill().unwrap();
        self.holder.wait().unwrap();
    }

    /// Waits until a process waits for the file, or none does.
    async fn is_awaited(&self, expect: bool) {
        let inode = format!(":{} ", self.path.metadata().unwrap().ino());
        let give_up = Instant::now() + Duration::from_secs(30);
        loop {
            let locks = std::fs::read_to_string("/proc/locks").unwrap();
            // `8: LEASE  BREAKING  READ 20946 fe:00:10043481 0 EOF`, and for each that waits `8: -> LEASE …`.
            let lease = locks.lines().find(|line| line.contains(&inode)).unwrap();
            let (number, _) = lease.split_once(' ').unwrap();
            let waits = format!("{number} ->");
            if locks.lines().any(|line| line.starts_with(&waits)) == expect {
                return;
            }
            assert!(Instant::now() < give_up, "awaited: {expect}; {locks}");
            sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Both may fail only if it has ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

// On one thread: what blocks it blocks everything.
#[tokio::test]
async fn a_program_that_is_held_holds_up_no_other() {
    let mut held = Held::new();
    let engine = Engine::builder().build().unwrap();
    let start = tokio::spawn({
        let (engine, argv) = (engine.clone(), vec![held.path.clone().into()]);
        async move { engine.start_program(argv, RunOptions::default()).await }
    });
    held.is_awaited(true).await;
    let other = engine.exec("exit 4", RunOptions::default()).await.unwrap();
    assert_eq!(other.termination, Termination::Exited { code: 4 });
    assert!(!start.is_finished());
    held.release();
    let command = start.await.unwrap().unwrap();
    assert_eq!(command.ended().await, Termination::Exited { code: 3 });
    engine.shutdown().await;
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_no_process() {
    let held = Held::new();
    let direct = Direct::new();
    let start = tokio::spawn({
        let (direct, spec) = (direct.clone(), spec(&held.path));
        async move { direct.spawn(spec).await }
    });
    held.is_awaited(true).await;
    start.abort();
    assert!(start.await.is_err());
    held.is_awaited(false).await;
    let other = direct.spawn(spec("/bin/true".as_ref())).await.unwrap();
    assert_eq!(
        other.exit.await.unwrap().termination,
        Termination::Exited { code: 0 }
    );
}

fn spec(program: &Path) -> SpawnSpec {
    SpawnSpec {
        program: program.to_owned(),
        argv: vec![program.into()],
        env: Environment::of_this_process(),
        cwd: "/".into(),
        fds: vec![ChildFd::Null, ChildFd::Null, ChildFd::Null],
        group: ProcessGroup::Own,
        limits: SpawnLimits::default(),
    }
}
