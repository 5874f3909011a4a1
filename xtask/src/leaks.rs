//! What the tests of a step leave over: processes and temporary files.
//!
//! Every test cleans up after itself; this holds all of them to it, whatever language they are in. Orphans come to this
//! process, wherever they are in the tree below it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal, WaitOptions};

use crate::sh::{self, Result, tree};

/// A place for temporary files, and an eye on what is left in it.
pub(crate) struct Watch {
    directory: PathBuf,
}

impl Watch {
    pub(crate) fn begin() -> Result<Self> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        // Not below `target`: the path of a socket has 107 bytes.
        let name = format!("xtask-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory)?;
        Ok(Self { directory })
    }

    /// Runs tests; they fail if they leave anything.
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        let (passed, clean) =
            self.around(|directory| sh::follow_and_quote(equip(command, directory), sh::say));
        passed?;
        clean
    }

    /// Does work that runs tests with their temporary files in the directory that it is given. The second result is an
    /// error if they leave anything.
    pub(crate) fn around<T>(&self, work: impl FnOnce(&Path) -> T) -> (T, Result<()>) {
        let result = reaping(|| work(&self.directory));
        let left = leftovers(&self.directory);
        for process in &left.processes {
            // An orphan of this process, which nothing else reaps, so that its number is its own.
            let _ = rustix::process::kill_process(process.pid, Signal::KILL);
            let _ = rustix::process::waitpid(Some(process.pid), WaitOptions::empty());
        }
        for file in &left.files {
            let _ = fs::remove_dir_all(file).or_else(|_| fs::remove_file(file));
        }
        let clean = if left.is_empty() {
            Ok(())
        } else {
            Err(left.to_string().into())
        };
        (result, clean)
    }
}

/// Prepares a command that runs tests with their temporary files in `directory`.
pub(crate) fn equip<'a>(command: &'a mut Command, directory: &Path) -> &'a mut Command {
    // Node.js would read the certificates at each of a thousand starts, which takes it 50 ms; nothing here uses TLS with it.
    command
        .env("TMPDIR", directory)
        .env_remove("NODE_EXTRA_CA_CERTS")
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

struct Left {
    processes: Vec<Process>,
    files: Vec<PathBuf>,
}

struct Process {
    pid: Pid,
    command: String,
}

/// Looks until there is nothing, or for as long as something that was asked to end may take.
#[expect(
    clippy::disallowed_methods,
    reason = "nobody tells when the last of many strangers has ended"
)]
fn leftovers(directory: &Path) -> Left {
    let give_up = Instant::now() + GRACE;
    loop {
        let left = Left {
            processes: orphans(),
            files: fs::read_dir(directory).map_or_else(
                |_| Vec::new(),
                |entries| entries.flatten().map(|entry| entry.path()).collect(),
            ),
        };
        if left.is_empty() || Instant::now() > give_up {
            return left;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Reaps orphans while `work` is done. Thousands of zombies would slow whatever looks through all processes.
fn reaping<T>(work: impl FnOnce() -> T) -> T {
    let (done, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while wait.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                orphans();
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// The children of this process that it got from others; those that have ended are reaped.
fn orphans() -> Vec<Process> {
    let mut living = Vec::new();
    for number in tree::children(std::process::id()) {
        // Held, so that nothing that was started here is reaped here.
        let started = sh::started();
        if started.contains(&number) {
            continue;
        }
        let Some(pid) = tree::process(number) else {
            continue;
        };
        if let Ok(None) = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG) {
            let command = tree::command_line(number);
            living.push(Process { pid, command });
        }
    }
    living
}

impl Left {
    fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.files.is_empty()
    }
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the tests left behind")?;
        for Process { pid, command } in &self.processes {
            write!(f, "\n  process {}: {command}", pid.as_raw_nonzero())?;
        }
        for file in &self.files {
            write!(f, "\n  file {}", file.display())?;
        }
        Ok(())
    }
}

/// How long an orphan may be a zombie.
const PAUSE: Duration = Duration::from_millis(100);

/// What a test's processes get to end after it.
const GRACE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    /// Set in the process of its own that the test runs in: the children of other tests would look like leftovers.
    const INSIDE: &str = "XTASK_TEST_LEAKS";

    #[test]
    fn what_is_left_is_reported_and_ended() {
        if std::env::var_os(INSIDE).is_none() {
            let name = "leaks::tests::what_is_left_is_reported_and_ended";
            let mut again = sh::command(std::env::current_exe().unwrap());
            return sh::run(again.args([name, "--exact"]).env(INSIDE, "1")).unwrap();
        }
        let watch = Watch::begin().unwrap();
        watch.run(&mut sh::command("true")).unwrap();
        let leaky = "sleep 1000 >/dev/null & mktemp";
        let error = watch
            .run(sh::command("sh").args(["-c", leaky]))
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("sleep 1000") && text.contains("file "),
            "{text}"
        );
        watch.run(&mut sh::command("true")).unwrap();
    }
}
