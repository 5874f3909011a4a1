//! Every order in which things can happen to a task, up to a length: with processes that the test plays, whose outputs and
//! exits come when it says so, and a clock that it sets forward.
//!
//! Things that happen without a [`settle`] between them happen at once: the task sees them together. `SANDBOX_MODEL_DEPTH`
//! sets how long the orders are.

mod contexts;
mod runs;
mod sessions;
mod shell;
mod terminals;

use std::ffi::OsString;
use std::fs::File;
use std::future::poll_fn;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use sandbox_engine::spawner::{ChildFd, SpawnError, SpawnSpec, Spawned};
use sandbox_engine::{Spawner, Termination};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Runs `world` once for every sequence of choices that it can make.
fn explore(depth: usize, world: impl AsyncFn(&mut Choices)) {
    let depth = std::env::var("SANDBOX_MODEL_DEPTH").map_or(depth, |depth| depth.parse().unwrap());
    let mut path = Vec::new();
    loop {
        let mut choices = Choices {
            path,
            next: 0,
            depth,
            made: Vec::new(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(world(&mut choices));
        drop(runtime);
        path = std::mem::take(&mut choices.path);
        path.truncate(choices.next);
        // The next one: the last choice that can be made otherwise is.
        loop {
            match path.pop() {
                Some((chosen, of)) if chosen + 1 < of => break path.push((chosen + 1, of)),
                Some(_) => {}
                None => return,
            }
        }
    }
}

/// The choices of one run; shown if it fails.
struct Choices {
    /// What is chosen, and of how many.
    path: Vec<(usize, usize)>,
    next: usize,
    depth: usize,
    made: Vec<String>,
}

impl Choices {
    /// Chooses one of these; `None` at the end of the run.
    fn choose<T: Copy + std::fmt::Debug>(&mut self, of: &[T]) -> Option<T> {
        if self.next == self.depth || of.is_empty() {
            return None;
        }
        if self.next == self.path.len() {
            self.path.push((0, of.len()));
        }
        let chosen = of[self.path[self.next].0];
        self.next += 1;
        self.made.push(format!("{chosen:?}"));
        Some(chosen)
    }
}

/// What can still happen in one run: each thing once, and a settling between any two of them.
struct Open<T> {
    left: Vec<T>,
    settle: T,
    last: T,
}

impl<T: Copy + PartialEq + std::fmt::Debug> Open<T> {
    fn new(settle: T, left: Vec<T>) -> Self {
        Self {
            left,
            settle,
            last: settle,
        }
    }

    fn has(&self, what: T) -> bool {
        self.left.contains(&what)
    }

    /// Chooses what happens next, among what is left and `may` happen now; `None` at the end of the run.
    fn next(&mut self, choices: &mut Choices, may: impl Fn(&Self, T) -> bool) -> Option<T> {
        let mut possible = self.left.clone();
        possible.retain(|what| may(self, *what));
        if self.last != self.settle {
            possible.insert(0, self.settle);
        }
        let happening = choices.choose(&possible)?;
        self.left.retain(|what| *what != happening);
        self.last = happening;
        Some(happening)
    }
}

impl Drop for Choices {
    #[expect(
        clippy::print_stderr,
        reason = "a failure names the order that it happened in"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in this order: {}", self.made.join(", "));
        }
    }
}

/// Lets every task go on until it waits: the clock is set forward only then.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Clients that wait for something; each must get a result.
#[derive(Default)]
struct Waiters(Vec<(&'static str, JoinHandle<()>)>);

impl Waiters {
    fn add(&mut self, what: &'static str, waiting: impl Future<Output = ()> + Send + 'static) {
        self.0.push((what, tokio::spawn(waiting)));
    }

    /// However long the clock has to be set forward, it is no longer than the longest deadline.
    async fn done(self) {
        for (what, waiting) in self.0 {
            let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
            waited
                .unwrap_or_else(|_| panic!("{what} is waited for without end"))
                .unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }
}

/// Starts processes that the test plays.
#[derive(Debug, Clone, Default)]
struct Stage(Arc<Mutex<Vec<Played>>>);

/// A process that the test plays. It has a number that no process has, so a signal reaches nothing: it dies when the test
/// says so, or never.
#[derive(Debug)]
struct Played {
    fates: mpsc::Sender<Fate>,
    is_over: bool,
    /// The far ends of its descriptors.
    far: Vec<Option<File>>,
    cwd: PathBuf,
    argv: Vec<OsString>,
}

#[derive(Debug)]
enum Fate {
    Exit(Termination),
    /// The task that awaits the exit fails.
    Fail,
}

/// What a played process exits with.
const EXITED: Termination = Termination::Exited { code: 3 };

impl Stage {
    /// Whether the newest process runs.
    fn plays(&self) -> bool {
        let played = self.0.lock().unwrap();
        played.last().is_some_and(|played| !played.is_over)
    }

    /// Ends the newest process.
    fn end(&self, fate: Fate) {
        let mut played = self.0.lock().unwrap();
        let newest = played.last_mut().unwrap();
        assert!(!newest.is_over, "a process ends once");
        newest.is_over = true;
        newest.far.clear();
        // Its task may have been lost already.
        let _ = newest.fates.try_send(fate);
    }

    /// Ends all processes that still run, also those whose task has failed.
    fn clear(&self) {
        for played in self.0.lock().unwrap().drain(..) {
            let _ = played.fates.try_send(Fate::Exit(EXITED));
        }
    }

    /// Writes to a descriptor of the newest process, whose reader may have closed it.
    fn write(&self, fd: usize, bytes: &[u8]) {
        let played = self.0.lock().unwrap();
        if let Some(Some(far)) = played.last().and_then(|newest| newest.far.get(fd)) {
            let mut far: &File = far;
            let _ = far.write_all(bytes);
        }
    }

    /// Returns the arguments of the newest process, and where it was started.
    fn arguments(&self) -> (PathBuf, Vec<OsString>) {
        let played = self.0.lock().unwrap();
        let newest = played.last().unwrap();
        (newest.cwd.clone(), newest.argv.clone())
    }
}

impl Spawner for Stage {
    fn spawn(
        &self,
        spec: SpawnSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Spawned, SpawnError>> + Send + '_>> {
        let mut far = Vec::new();
        let mut near = Vec::new();
        for fd in &spec.fds {
            let (its, ours): (Option<OwnedFd>, Option<OwnedFd>) = match fd {
                ChildFd::Output => {
                    let (read, write) = rustix::pipe::pipe().unwrap();
                    (Some(write), Some(read))
                }
                ChildFd::Input => {
                    let (read, write) = rustix::pipe::pipe().unwrap();
                    (Some(read), Some(write))
                }
                ChildFd::Terminal(path) => {
                    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
                    let far = rustix::fs::open(path.as_path(), flags, Mode::empty()).unwrap();
                    (Some(far), None)
                }
                _ => (None, None),
            };
            far.push(its.map(File::from));
            near.push(ours);
        }
        if spec.fds.len() > 4 {
            // What runs code says that it takes some.
            far[4].as_mut().unwrap().write_all(b"\x01\0\0\0B").unwrap();
        }
        // At most a failure and an exit after it.
        let (fates, mut falls) = mpsc::channel(2);
        let exit = poll_fn(move |context| match falls.poll_recv(context) {
            Poll::Ready(Some(Fate::Exit(exited))) => Poll::Ready(Ok(exited.into())),
            // Without the hook, which would print a trace.
            Poll::Ready(Some(Fate::Fail)) => std::panic::resume_unwind(Box::new("it fails")),
            // It never ends.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        });
        self.0.lock().unwrap().push(Played {
            fates,
            is_over: false,
            far,
            cwd: spec.cwd,
            argv: spec.argv,
        });
        Box::pin(async {
            Ok(Spawned {
                pid: i32::MAX as u32,
                tag: None,
                fds: near,
                exit: Box::pin(exit),
            })
        })
    }
}

/// What may have decided how a process ended: what happened up to the first time that its task could see any of it.
struct Causes<T> {
    causes: Vec<T>,
    is_decided: bool,
}

impl<T> Causes<T> {
    fn new() -> Self {
        Self {
            causes: Vec::new(),
            is_decided: false,
        }
    }

    fn add(&mut self, cause: T) {
        if !self.is_decided {
            self.causes.push(cause);
        }
    }

    fn settled(&mut self) {
        self.is_decided = !self.causes.is_empty();
    }
}
