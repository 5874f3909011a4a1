//! Spare launchers: an isolated process starts in namespaces that exist already.
//!
//! A spare is the launcher that a cold start would create: started through the same [`Spawner`], with the same executable,
//! group and kind of label. It does all of a launcher's work that is the same for each description, which is most of its time:
//! it is executed, creates its namespaces but that of mounts, and process 1 of its process namespace, which waits at a socket.
//! A run takes all of it: the launcher, its label and its exit. Process 1 receives the descriptors of the program and the plan,
//! and does the rest of a launcher's work, from the namespace of mounts on: so the view is of the machine as it is then.
//! No run has a spare in which another has run, and nothing of a request is in it before.
//!
//! There is one at most. The first isolated run starts cold; when it has ended, not sooner, a spare is started, and again when the
//! run that took it has ended. What a spare has inherited from this process (limits, umask, nice value, affinity, user, control
//! group, namespaces) is the same as at the start of the run: a [`Key`] is of an equal [`World`], before and after the spare was started,
//! too. A run with limits, a terminal, a user
//! of its own or a way out for its network starts cold.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::Level;
use super::description::{Isolation, Network, Places};
use super::error::IsolationError;
use super::plan::Plan;
use super::spawn::{compiled_filters, failed, launch, read, then_release};
use super::stage::{Failure, Report};
use crate::leader::Leader;
use crate::limits::{WARM_IDLE, WARM_RESPONSE_TIMEOUT};
use crate::spawner::{
    ChildFd, Ends, ProcessGroup, SpawnError, SpawnLimits, SpawnSpec, Spawned, Spawner, pipe,
};
use crate::sys::{self, sealed_memory};
use crate::tag::Tag;
use crate::warm::World;
use crate::warm::pool::{Pool, Pooled};

/// The spare launchers of an engine.
pub(crate) type Spares = Pool<Spare>;

impl Spares {
    pub(crate) fn new() -> Arc<Self> {
        Self::ending_after(WARM_IDLE)
    }
}

/// All properties of a launcher that the plan does not decide, and those that it has to have before it knows the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    network: Network,
    world: World,
}

impl Key {
    /// Returns the key for a process; `None` if no spare can become it.
    fn of(plan: &Plan, spec: &SpawnSpec) -> Option<Self> {
        let isolation = &plan.isolation;
        let is_served = isolation.level() == Level::Namespaces
            && !isolation.has_user()
            && isolation.network() != Network::User
            && !plan.has_terminal()
            && spec.group == ProcessGroup::Own
            // It is not started in the control group of the run.
            && spec.limits.is_empty()
            && spec.fds.len() <= FDS;
        is_served.then(|| Self::now(isolation.network()))
    }

    fn now(network: Network) -> Self {
        Self {
            network,
            world: World::inherited(),
        }
    }
}

/// Starts the program of a plan in a spare, if there is one for it. Returns `None` if not; then the program has not begun.
pub(super) async fn start(
    spares: &Spares,
    plan: &Plan,
    spec: &SpawnSpec,
) -> Result<Option<Result<Spawned, Failure>>, SpawnError> {
    let Some(key) = Key::of(plan, spec) else {
        return Ok(None);
    };
    match spares.take(key).await {
        Some(spare) => spare.start(plan, &spec.fds).await,
        None => Ok(None),
    }
}

/// A launcher that waits for its plan.
#[derive(Debug)]
pub(crate) struct Spare {
    leader: Leader,
    tag: Option<Tag>,
    /// The socket at which its process 1 waits.
    line: UnixStream,
}

impl Pooled for Spare {
    type Key = Key;
    type Source = dyn Spawner;
    type Error = SpawnError;

    async fn reread(_: &Self::Source, key: &Key) -> Option<Key> {
        Some(Key::now(key.network))
    }

    async fn begin(spawner: &Self::Source, key: &Key) -> Result<Self, SpawnError> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let ours = UnixStream::from_std(ours)?;
        let isolation = Isolation::builder().network(key.network).build();
        let isolation = isolation.map_err(IsolationError::from)?;
        let plan = Plan {
            // Those of every plan that it can receive: to read them takes as long as to create a namespace.
            filters: compiled_filters(&isolation)?,
            isolation,
            places: Places::default(),
            program: None,
            is_lasting: false,
            way_out: None,
            helper: None,
            inside: None,
            is_spare: true,
        };
        let fds = vec![
            ChildFd::Null,
            ChildFd::Null,
            ChildFd::Null,
            ChildFd::Given(Arc::new(theirs.into())),
        ];
        let limits = SpawnLimits::default();
        match launch(spawner, &plan, fds, ProcessGroup::Own, limits, None).await? {
            Ok(spawned) => Ok(Self {
                leader: Leader::new(spawned.pid, spawned.tag, spawned.exit),
                tag: spawned.tag,
                line: ours,
            }),
            Err(failure) => Err(failed(failure).into()),
        }
    }

    fn leader(&mut self) -> &mut Leader {
        &mut self.leader
    }
}

impl Spare {
    /// Starts the program of a plan, with these descriptors. Returns `None` if the spare has ended; then the program has not begun.
    async fn start(
        self,
        plan: &Plan,
        fds: &[ChildFd],
    ) -> Result<Option<Result<Spawned, Failure>>, SpawnError> {
        // Until the verdict is read this owns the process: it is killed if this future is dropped.
        let Self { leader, tag, line } = self;
        let pid = leader.pid();
        let ends = Ends::open(fds)?;
        let plan = Plan {
            // It has them.
            filters: Vec::new(),
            ..plan.clone()
        };
        let sealed = sealed_memory("isolation", &[&plan.encode()]);
        let sealed = sealed.map_err(SpawnError::Exhausted)?;
        let (verdict, report_to) = pipe()?;
        let passed = [sealed.as_fd(), report_to.as_fd()].into_iter();
        let passed: Vec<BorrowedFd<'_>> = passed.chain(ends.far_fds()).collect();
        let sent = sys::send_with_fds(line.as_fd(), &passed);
        drop(passed);
        drop(report_to);
        // It sends its view when it has all that it needs, and closes the line.
        let takes = sent.is_ok()
            && timeout(WARM_RESPONSE_TIMEOUT, line.readable())
                .await
                .is_ok();
        // Otherwise it is killed, and says no more.
        let leader = takes.then_some(leader);
        match (read(Some(verdict)).await, leader) {
            (Ok(Report::Executed), Some(leader)) => Ok(Some(Ok(Spawned {
                pid,
                tag,
                fds: ends.take_near(),
                exit: then_release(leader.release(), sys::receive_fd(line.as_fd())),
            }))),
            (Ok(Report::Executed), None) => Err(SpawnError::Os(io::ErrorKind::TimedOut.into())),
            (Ok(Report::Failed(failure)), _) => Ok(Some(Err(failure))),
            // It was ended before it could begin.
            (Err(error), _) => {
                tracing::debug!(pid, %error, "a spare launcher does not take its plan");
                Ok(None)
            }
        }
    }
}

/// The descriptors of a program that fit a message, with the plan and the verdict.
const FDS: usize = sys::MESSAGE_FDS - 2;

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, Signal, kill_process};

    use super::*;
    use crate::environment::Environment;
    use crate::isolation::Isolated;
    use crate::isolation::spawn::plan_of;
    use crate::procfs;
    use crate::spawner::Direct;
    use crate::termination::Termination;

    fn spec() -> SpawnSpec {
        SpawnSpec {
            program: "/bin/sh".into(),
            argv: ["sh", "-c", "exit 7"].map(Into::into).into(),
            env: Environment::empty(),
            cwd: "/".into(),
            fds: vec![ChildFd::Null, ChildFd::Output, ChildFd::SameAs(1)],
            group: ProcessGroup::Own,
            limits: SpawnLimits::default(),
        }
    }

    async fn plan() -> Plan {
        let isolated = Isolated {
            isolation: Isolation::strict(),
            places: Places {
                work_dir: "/tmp/sandbox/work".into(),
                temporary: "/tmp/sandbox/sessions".into(),
                ..Places::default()
            },
            shown: Vec::new(),
            state: None,
        };
        plan_of(&isolated, &spec(), None).await.unwrap()
    }

    /// Returns a spare, unless this machine isolates nothing.
    async fn spare(plan: &Plan) -> Option<Spare> {
        let key = Key::of(plan, &spec()).unwrap();
        match Spare::begin(&Direct::new(), &key).await {
            Err(SpawnError::Isolation(_)) => None,
            spare => Some(spare.unwrap()),
        }
    }

    #[tokio::test]
    async fn a_spare_launcher_that_dies_or_stops_costs_only_time() {
        let mut plan = plan().await;
        plan.isolation = Isolation::builder().scratch("/tmp").build().unwrap();
        let Some(fit) = spare(&plan).await else {
            return;
        };
        let started = fit.start(&plan, &spec().fds).await.unwrap();
        let spawned = started.unwrap().unwrap();
        let ended = spawned.exit.await.unwrap().termination;
        assert_eq!(ended, Termination::Exited { code: 7 });
        for signal in [Signal::STOP, Signal::KILL] {
            let unfit = spare(&plan).await.unwrap();
            let init = procfs::children(unfit.leader.pid())[0];
            let init = Pid::from_raw(init.try_into().unwrap()).unwrap();
            kill_process(init, signal).unwrap();
            let started = unfit.start(&plan, &spec().fds).await.unwrap();
            assert!(started.is_none(), "{signal:?}");
        }
    }

    /// Returns whether a process of the same user, without capabilities, may see the executable and memory of another.
    async fn is_open(pid: u32) -> bool {
        let without = if rustix::process::geteuid().is_root() {
            "setpriv --bounding-set=-all --inh-caps=-all "
        } else {
            ""
        };
        let text = format!("exec {without}readlink /proc/{pid}/exe");
        let spec = SpawnSpec {
            argv: ["sh", "-c", &text].map(Into::into).into(),
            env: Environment::of_this_process(),
            fds: vec![ChildFd::Null; 3],
            ..spec()
        };
        let reader = Direct::new().spawn(spec).await.unwrap();
        reader.exit.await.unwrap().termination == Termination::Exited { code: 0 }
    }

    #[tokio::test]
    async fn a_spare_launcher_that_waits_is_closed_to_its_user() {
        let Some(mut waiting) = spare(&plan().await).await else {
            return;
        };
        let launcher = waiting.leader.pid();
        let init = procfs::children(launcher)[0];
        assert!(is_open(launcher).await, "otherwise this shows nothing");
        assert!(!is_open(init).await);
        waiting.leader.kill().await.unwrap();
    }

    #[tokio::test]
    async fn what_a_spare_cannot_become_starts_cold() {
        let plan = plan().await;
        assert!(Key::of(&plan, &spec()).is_some());
        let described = |isolation| Plan {
            isolation,
            ..plan.clone()
        };
        for other in [
            Isolation::builder().run_as(7, 7),
            Isolation::builder().network(Network::User),
            Isolation::builder().level(Level::Landlock),
            Isolation::builder().level(Level::Bwrap),
        ] {
            let other = described(other.build().unwrap());
            assert!(Key::of(&other, &spec()).is_none(), "{other:?}");
        }
        let limited = SpawnSpec {
            limits: SpawnLimits {
                open_files: Some(9),
                ..SpawnLimits::default()
            },
            ..spec()
        };
        let leads = SpawnSpec {
            group: ProcessGroup::OwnSession,
            ..spec()
        };
        let many = SpawnSpec {
            fds: vec![ChildFd::Null; FDS + 1],
            ..spec()
        };
        for other in [limited, leads, many] {
            assert!(Key::of(&plan, &other).is_none(), "{other:?}");
        }
        let host = described(Isolation::builder().network(Network::Host).build().unwrap());
        assert_ne!(Key::of(&host, &spec()), Key::of(&plan, &spec()));
    }
}
