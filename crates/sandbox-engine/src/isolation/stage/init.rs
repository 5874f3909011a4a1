//! Process 1 of the process namespace: builds the view, starts the program and reaps.
//!
//! A program as process 1 would have no default reaction to signals, and orphans that nothing reaps.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions, wait};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

use super::verdict::{At, Failure, Verdict};
use super::{FAILED, view};
use crate::isolation::description::Kind;
use crate::isolation::plan::Program;
use crate::isolation::{Network, Plan, Step};
use crate::limits::DRAIN_GRACE;
use crate::procfs::{self, Stat};
use crate::sys;
use crate::tree::pause;

/// Does the work of process 1, and ends.
///
/// `view` makes the view, or checks it, and gives up capabilities.
pub(super) fn run(
    plan: &Plan,
    view: impl FnOnce() -> Result<(), Failure>,
    verdict: &Verdict,
    status: &OwnedFd,
) -> ! {
    let started = prepare(plan, view, status).and_then(|()| match &plan.program {
        Some(program) => start(plan, program, verdict).map(Some),
        None => verdict.executes().at(Step::Init).map(|()| None),
    });
    let ended = match started {
        Ok(Some(program)) => {
            // A pipe that stays open here would look open to the engine, and to the program.
            sys::close_all_but([status.as_raw_fd(); 2]);
            reap_until_end(program)
        }
        Ok(None) => Ok(0),
        Err(failure) => {
            verdict.report(&failure);
            sys::exit_now(FAILED)
        }
    };
    if let Ok(ended) = ended {
        let _ = rustix::io::write(status, &ended.to_le_bytes());
    }
    // The kernel ends all that is left in the namespace.
    sys::exit_now(0)
}

fn prepare(
    plan: &Plan,
    view: impl FnOnce() -> Result<(), Failure>,
    status: &OwnedFd,
) -> Result<(), Failure> {
    attach(status)?;
    view()?;
    close_to_others()?;
    for filter in &plan.filters {
        sys::filter_system_calls(filter).at(Step::SystemCalls)?;
    }
    Ok(())
}

/// Puts the executable and memory of this process out of reach of others, such as the program, which has the same user.
pub(super) fn close_to_others() -> Result<(), Failure> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Step::Capabilities)
}

/// Makes this process one that ends with its launcher.
pub(super) fn attach(status: &OwnedFd) -> Result<(), Failure> {
    // When the launcher ends, so does this, and with it the namespace. The launcher has one thread, whose end is its own.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).at(Step::Init)?;
    if has_no_reader(status).at(Step::Init)? {
        // It has ended already.
        sys::exit_now(FAILED);
    }
    rustix::thread::set_name(c"sandbox-init").at(Step::Init)
}

/// Makes the view, and gives up what that needs.
pub(super) fn make_view(plan: &Plan, binds: Vec<(Kind, OwnedFd)>) -> Result<(), Failure> {
    name_host()?;
    view::build(plan, binds)?;
    start_network(plan)?;
    settle_in(plan)
}

pub(super) fn name_host() -> Result<(), Failure> {
    rustix::system::sethostname(b"sandbox").at(Step::HostName)
}

/// Starts the loopback interface of a network of its own.
pub(super) fn start_network(plan: &Plan) -> Result<(), Failure> {
    match plan.isolation.network() {
        Network::Host => Ok(()),
        Network::None | Network::User => sys::start_loopback().at(Step::Loopback),
    }
}

/// Enters the working directory in the view, and gives up what made that.
pub(super) fn settle_in(plan: &Plan) -> Result<(), Failure> {
    enter(plan)?;
    give_up_capabilities().at(Step::Capabilities)
}

/// Enters the working directory of the program.
pub(super) fn enter(plan: &Plan) -> Result<(), Failure> {
    match &plan.program {
        Some(program) => std::env::set_current_dir(&program.cwd).at(Step::WorkDir),
        None => Ok(()),
    }
}

fn has_no_reader(pipe: &OwnedFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(pipe, PollFlags::OUT)];
    poll(&mut fds, Some(&Timespec::default()))?;
    Ok(fds[0].revents().contains(PollFlags::ERR))
}

/// Gives up every capability for good: no program gets one, whatever its file and user are.
pub(super) fn give_up_capabilities() -> io::Result<()> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel's last one was before it.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    rustix::thread::set_capabilities_secure_bits(bits)?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none)?;
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Starts the program as the leader of a session of its own.
fn start(plan: &Plan, program: &Program, verdict: &Verdict) -> Result<Pid, Failure> {
    let become_program = || -> Result<(), Failure> {
        rustix::process::setsid().at(Step::Program)?;
        if plan.has_terminal() {
            let terminal = io::stdin();
            rustix::process::ioctl_tiocsctty(terminal.as_fd()).at(Step::Terminal)?;
        }
        sys::unblock_signals().at(Step::Program)?;
        Err(execute(program, verdict))
    };
    let started = sys::fork_to_execute(|| {
        if let Err(failure) = become_program() {
            verdict.report(&failure);
        }
        FAILED
    });
    started.at(Step::Init)
}

/// Executes the program in this process; returns the failure.
pub(super) fn execute(program: &Program, verdict: &Verdict) -> Failure {
    let text = |text: &std::ffi::OsStr| CString::new(text.as_bytes());
    let texts = |texts: &[std::ffi::OsString]| {
        let texts = texts.iter().map(|item| text(item));
        texts.collect::<Result<Vec<_>, _>>()
    };
    let executed = || {
        let path = text(program.path.as_os_str()).at(Step::Program)?;
        let argv = texts(&program.argv).at(Step::Program)?;
        let env = texts(&program.env).at(Step::Program)?;
        verdict.executes().at(Step::Program)?;
        Err(sys::execute(&path, &argv, &env)).at(Step::Program)
    };
    let Err(failure) = executed() as Result<std::convert::Infallible, Failure>;
    failure
}

/// Reaps until the program has ended and its helpers have written what they had to, and returns the program's status.
fn reap_until_end(program: Pid) -> io::Result<i32> {
    let status = loop {
        match rustix::io::retry_on_intr(|| wait(WaitOptions::empty()))? {
            Some((pid, status)) if pid == program => break status.as_raw(),
            _ => {}
        }
    };
    settle();
    Ok(status)
}

/// Waits for processes that still do something: a helper at the other end of a pipe (`exec > >(tee f)`) may have output left.
/// One that sleeps is not waited for.
fn settle() {
    let give_up = Instant::now() + DRAIN_GRACE;
    let mut quiet = 0;
    // Twice: a process that another was just starting may have been missed.
    while quiet < 2 && Instant::now() < give_up {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                // There are none.
                Err(_) => return,
            }
        }
        let me = std::process::id();
        let mut others = procfs::pids().filter(|pid| *pid != me);
        let is_busy =
            others.any(|pid| Stat::of(pid).is_some_and(|stat| matches!(stat.state, b'R' | b'D')));
        quiet = if is_busy { 0 } else { quiet + 1 };
        pause();
    }
}
