//! Process 1 of a spare launcher: waits for the plan of the run that takes it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::thread::UnshareFlags;

use super::verdict::{At, Failure, Verdict};
use super::{FAILED, init, read, view};
use crate::isolation::{Plan, Step};
use crate::sys;

/// The descriptor of the socket.
const SOCKET: i32 = 3;

/// Does what is the same for each plan, and reports; then waits for a plan, does its work as process 1, and ends.
pub(super) fn wait(plan: &Plan, verdict: &Verdict, status: OwnedFd) -> ! {
    let socket = sys::given(SOCKET);
    if let Err(failure) = prepare(plan, &status) {
        verdict.report(&failure);
        sys::exit_now(FAILED);
    }
    if verdict.executes().is_err() {
        sys::exit_now(FAILED);
    }
    // The report is complete when all of the process's copies of its pipe are closed.
    sys::close_all_but([socket.as_raw_fd(), status.as_raw_fd()]);
    // The engine ends or needs the spare no more when its end is closed.
    let Some(taken) = Taken::receive(socket, status) else {
        sys::exit_now(FAILED);
    };
    taken.run(plan)
}

fn prepare(plan: &Plan, status: &OwnedFd) -> Result<(), Failure> {
    // First: its memory is otherwise open to its user while it waits, and what has been opened of that stays open.
    init::close_to_others()?;
    init::attach(status)?;
    init::name_host()?;
    init::start_network(plan)?;
    // To check and translate it takes the kernel as long as many of the other steps together.
    let long = plan.filters.first();
    let long = long
        .ok_or(io::ErrorKind::InvalidInput)
        .map_err(io::Error::from);
    long.and_then(sys::filter_system_calls)
        .at(Step::SystemCalls)
}

/// What a run has passed.
struct Taken {
    plan: OwnedFd,
    verdict: OwnedFd,
    socket: OwnedFd,
    status: OwnedFd,
}

impl Taken {
    /// Waits for the message of the run, and gives the program's descriptors their numbers.
    fn receive(socket: OwnedFd, status: OwnedFd) -> Option<Self> {
        let mut fds = sys::receive_fds(socket.as_fd()).ok()?.into_iter();
        let (plan, verdict) = (fds.next()?, fds.next()?);
        let program: Vec<OwnedFd> = fds.collect();
        let least = i32::try_from(program.len()).ok()?;
        // Out of the way of the program's.
        let above = |fd: OwnedFd| rustix::io::fcntl_dupfd_cloexec(&fd, least).ok();
        let (plan, verdict) = (above(plan)?, above(verdict)?);
        let (socket, status) = (above(socket)?, above(status)?);
        let program: Vec<OwnedFd> = program.into_iter().map(above).collect::<Option<_>>()?;
        sys::number_from_zero(&program).ok()?;
        Some(Self {
            plan,
            verdict,
            socket,
            status,
        })
    }

    /// Does the work of process 1.
    fn run(self, spare: &Plan) -> ! {
        let Self {
            plan,
            verdict,
            socket,
            status,
        } = self;
        let Ok(verdict) = Verdict::new(verdict) else {
            sys::exit_now(FAILED);
        };
        let plan = match read(plan).at(Step::Launcher) {
            Ok(plan) => Plan {
                // The first applies already.
                filters: spare.filters.iter().skip(1).cloned().collect(),
                ..plan
            },
            Err(failure) => {
                verdict.report(&failure);
                sys::exit_now(FAILED);
            }
        };
        let view = || {
            sys::unshare(UnshareFlags::NEWNS).at(Step::Namespaces)?;
            pass_view(socket);
            view::build(&plan, Vec::new())?;
            init::settle_in(&plan)
        };
        init::run(&plan, view, &verdict, &status)
    }
}

/// Passes the engine its namespace of mounts: it is removed when the last process and descriptor of it are closed, and the
/// end of the run does not wait for that.
fn pass_view(socket: OwnedFd) {
    if let Ok(namespace) = File::open("/proc/self/ns/mnt") {
        let _ = sys::send_with_fds(socket.as_fd(), &[namespace.as_fd()]);
    }
}
