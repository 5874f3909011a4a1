//! The spawner that starts children of this process.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::guardian::Guardian;
use crate::leader::Leader;
use crate::limits::{self, KILL_WAIT};
use crate::reaper::{self, OwnChild};
use crate::resources::{Limit, LimitError};
use crate::spawner::{
    Ends, ProcessGroup, SpawnError, SpawnSpec, Spawned, Spawner, c_string, not_executed,
    of_the_system, reap,
};
use crate::sys::{self, Birth, PidFd};
use crate::tag::{Instance, Tag};
use crate::tree::{Tree, pause};

/// Starts children of this process, at the cost of `posix_spawn(3)` and of a thread.
///
/// If this process ends without ending them, they are killed with all that they have started: by a small process that
/// waits only for that, started with the first child. Dropping the last clone ends that process and leaves the children running.
#[derive(Debug, Clone)]
pub struct Direct {
    instance: Instance,
    guardian: Arc<Guardian>,
}

impl Direct {
    /// Creates a spawner whose children are distinguishable from those of all others.
    pub fn new() -> Self {
        Self::of(Instance::draw())
    }

    pub(crate) fn of(instance: Instance) -> Self {
        Self {
            instance,
            guardian: Arc::new(Guardian::new(instance)),
        }
    }

    /// Returns the run that the process leads, if this spawner started it.
    pub(crate) fn run(&self, leader: u32) -> Option<Tree> {
        let tag = Tag::of(leader).filter(|tag| tag.instance() == self.instance)?;
        Some(Tree::tagged([tag]))
    }

    /// Returns all live processes that this spawner has started.
    pub(crate) fn tree(&self) -> Tree {
        let all = Tree::of_instance(self.instance);
        match self.guardian.pid() {
            Some(guardian) => all.without(guardian),
            None => all,
        }
    }
}

impl Default for Direct {
    fn default() -> Self {
        Self::new()
    }
}

impl Spawner for Direct {
    fn spawn(
        &self,
        spec: SpawnSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Spawned, SpawnError>> + Send + '_>> {
        Box::pin(async move {
            // The guardian first, so that nothing is ever unguarded.
            if let Err(error) = self.guardian.ensure() {
                tracing::warn!(%error, "what is started outlives this process if that is killed");
            }
            start(spec, Some(self.instance.tag())).await
        })
    }
}

/// Starts children that outlive this process: no guardian watches them, and no label marks them as this process's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lasting;

impl Spawner for Lasting {
    fn spawn(
        &self,
        spec: SpawnSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Spawned, SpawnError>> + Send + '_>> {
        Box::pin(start(spec, None))
    }
}

async fn start(spec: SpawnSpec, tag: Option<Tag>) -> Result<Spawned, SpawnError> {
    let permit = SPAWNS.acquire().await.map_err(io::Error::other)?;
    let abandoned = Abandoned::default();
    let birth = Arc::clone(&abandoned.0);
    let (done, started) = oneshot::channel();
    let runtime = Handle::current();
    // A new thread, because the child inherits its nice value, affinity and capabilities, and a new thread has those of
    // this one. A pooled thread has those that another thread had when it was started.
    let thread = thread::Builder::new().name("sandbox-spawn".to_owned());
    let work = move || {
        let _runtime = runtime.enter();
        let spawned = spawn(&spec, tag, &birth).map(|spawned| Unclaimed(Some(spawned)));
        drop(permit);
        // Without a caller that waits for it, it is dropped, which ends it.
        let _ = done.send(spawned);
    };
    thread.spawn(work).map_err(of_the_system)?;
    let mut spawned = started.await.map_err(io::Error::other)??;
    match spawned.0.take() {
        Some(spawned) => Ok(spawned),
        None => unreachable!("it is taken here alone"),
    }
}

/// A child that no caller has yet. If none takes it, it is killed with all that it has started.
struct Unclaimed(Option<Spawned>);

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(Spawned { pid, tag, exit, .. }) = self.0.take() {
            drop(Leader::new(pid, tag, exit));
        }
    }
}

/// A guard that ends a child which is still being started when it is dropped: a file system may block the child, and with
/// it a thread.
#[derive(Default)]
struct Abandoned(Arc<Birth>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        reaper::abandon(&self.0);
    }
}

/// The processes that are being started at a time.
static SPAWNS: Semaphore = Semaphore::const_new(limits::SPAWNS);

/// Starts a process. The file systems of its working directory and of its program can block this thread forever.
fn spawn(spec: &SpawnSpec, tag: Option<Tag>, birth: &Arc<Birth>) -> Result<Spawned, SpawnError> {
    let program = c_string(spec.program.as_os_str(), "the program's path")?;
    let cwd = c_string(spec.cwd.as_os_str(), "the working directory")?;
    let argv = spec
        .argv
        .iter()
        .map(|argument| c_string(argument, "an argument"))
        .collect::<Result<Vec<_>, _>>()?;
    let env = spec.env.c_strings().map_err(|_| SpawnError::Nul {
        what: "an environment variable",
    })?;
    let realtime_limits = match tag {
        Some(tag) => tag.limits(),
        None => sys::realtime_limits(rustix::process::getpid()).map_err(of_the_system)?,
    };
    let ends = Ends::open(&spec.fds)?;
    let groups = { &spec.limits.groups }
        .iter()
        .map(|group| sys::Entry {
            file: group.file.as_raw_fd(),
            directory: group.directory.as_ref().map(AsRawFd::as_raw_fd),
        })
        .collect::<Vec<_>>();
    let start = sys::Start {
        program: &program,
        argv: &argv,
        env: &env,
        cwd: &cwd,
        fds: &ends.far(),
        group: match spec.group {
            ProcessGroup::Own => sys::Group::Process,
            ProcessGroup::OwnSession => sys::Group::Session,
        },
        realtime_limits,
        is_exposed: *IS_PROTECTED,
        groups: &groups,
        file_bytes: spec.limits.file_bytes,
        open_files: spec.limits.open_files,
    };
    let started = OwnChild::start(birth, || sys::spawn(&start, birth));
    let (pid, own) = started.map_err(|error| explain(spec, error))?;
    let number = pid.as_raw_nonzero().get().unsigned_abs();
    // The system may not support it, or a hard limit may prevent it.
    let tag = tag.filter(|tag| Tag::of(number) == Some(*tag));
    let pidfd = match PidFd::open(pid) {
        Ok(pidfd) => pidfd,
        Err(error) => {
            // Without a pidfd its exit would not be noticed; it must not run unowned.
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
            if !reap_within(pid, KILL_WAIT) {
                tracing::error!(pid = number, "a killed process does not end");
            }
            return Err(of_the_system(error));
        }
    };
    Ok(Spawned {
        pid: number,
        tag,
        fds: ends.take_near(),
        exit: Box::pin(async move {
            pidfd.ended().await?;
            own.reap(|| reap(pidfd.as_fd()))
        }),
    })
}

/// Whether this process is protected from out-of-memory kills, by a negative score.
static IS_PROTECTED: LazyLock<bool> = LazyLock::new(|| {
    let score = std::fs::read_to_string("/proc/self/oom_score_adj");
    score.is_ok_and(|score| score.starts_with('-'))
});

/// Reaps a killed child that has no pidfd; returns whether it has ended within `limit`.
fn reap_within(pid: Pid, limit: Duration) -> bool {
    let give_up = Instant::now() + limit;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    loop {
        match rustix::process::waitid(WaitId::Pid(pid), options) {
            Ok(None) if Instant::now() < give_up => pause(),
            Err(rustix::io::Errno::INTR) => {}
            // Another error: it is no longer a child of this process.
            ended => return !matches!(ended, Ok(None)),
        }
    }
}

fn explain(spec: &SpawnSpec, error: sys::NotStarted) -> SpawnError {
    match error {
        sys::NotStarted::WorkDir(source) => SpawnError::WorkDir {
            path: spec.cwd.clone(),
            source,
        },
        sys::NotStarted::Group(error) => LimitError::Join(Arc::new(error)).into(),
        sys::NotStarted::FileSize(error) => LimitError::os(Limit::FileSize, error).into(),
        sys::NotStarted::OpenFiles(error) => LimitError::os(Limit::OpenFiles, error).into(),
        sys::NotStarted::Program(error) => not_executed(&spec.program, error),
        sys::NotStarted::System(error) => of_the_system(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::OwnedFd;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::environment::Environment;
    use crate::spawner::{ChildFd, GroupEntry, SpawnLimits};

    #[test]
    fn a_start_that_is_abandoned_before_there_is_a_child_leaves_none() {
        let spec = SpawnSpec {
            program: "/bin/sleep".into(),
            argv: vec!["sleep".into(), "1000".into()],
            env: Environment::empty(),
            cwd: "/".into(),
            fds: Vec::new(),
            group: ProcessGroup::Own,
            limits: SpawnLimits::default(),
        };
        let instance = Instance::draw();
        let birth = Arc::new(Birth::default());
        reaper::abandon(&birth);
        let error = spawn(&spec, Some(instance.tag()), &birth).unwrap_err();
        let SpawnError::Os(error) = error else {
            panic!("{error}");
        };
        assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
        assert_eq!(Tree::of_instance(instance).members(), []);
    }

    /// A control group of version 2 without limits.
    struct UnifiedGroup {
        directory: PathBuf,
        /// Its path in the hierarchy.
        path: String,
    }

    impl UnifiedGroup {
        /// Makes one, if this process may.
        fn make() -> Option<Self> {
            let membership = fs::read_to_string("/proc/self/cgroup").unwrap();
            let own = { membership.lines() }.find_map(|line| line.strip_prefix("0::/"))?;
            let mounts = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
            let mut mounts = mounts.into_iter();
            let mount = mounts.find(|mount| mount.join("cgroup.procs").exists())?;
            let path = Path::new(own).join(format!("sandbox-test-{}", std::process::id()));
            let directory = mount.join(&path);
            fs::create_dir(&directory).ok()?;
            let path = format!("/{}", path.display());
            Some(Self { directory, path })
        }
    }

    impl Drop for UnifiedGroup {
        fn drop(&mut self) {
            fs::remove_dir(&self.directory).unwrap();
        }
    }

    #[tokio::test]
    async fn a_process_is_created_in_its_group_or_else_enters_it() {
        let Some(group) = UnifiedGroup::make() else {
            return println!("skipped: no control group can be made");
        };
        let open = |path: &Path, writes: bool| {
            let file = fs::File::options().read(!writes).write(writes).open(path);
            Arc::new(OwnedFd::from(file.unwrap()))
        };
        let procs = || open(&group.directory.join("cgroup.procs"), true);
        let full = || open(Path::new("/dev/full"), true);
        let elsewhere = || Some(open(Path::new("/"), false));
        let within = Some(open(&group.directory, false));
        let cases = [
            ("created", full(), within, true),
            ("enters", procs(), None, true),
            ("cannot be created", procs(), elsewhere(), true),
            ("neither", full(), elsewhere(), false),
        ];
        for (case, file, directory, is_in) in cases {
            let spec = SpawnSpec {
                program: "/bin/cat".into(),
                argv: vec!["cat".into(), "/proc/self/cgroup".into()],
                env: Environment::empty(),
                cwd: "/".into(),
                fds: vec![ChildFd::Null, ChildFd::Output, ChildFd::Null],
                group: ProcessGroup::Own,
                limits: SpawnLimits {
                    groups: vec![GroupEntry { file, directory }],
                    ..SpawnLimits::default()
                },
            };
            let spawned = Direct::new().spawn(spec).await;
            let Ok(mut spawned) = spawned else {
                assert!(!is_in, "{case}: {spawned:?}");
                continue;
            };
            spawned.exit.await.unwrap();
            let output = spawned.fds[1].take().unwrap();
            let groups = io::read_to_string(fs::File::from(output)).unwrap();
            let found = groups.lines().find_map(|line| line.strip_prefix("0::"));
            assert_eq!((found, is_in), (Some(group.path.as_str()), true), "{case}");
        }
    }
}
