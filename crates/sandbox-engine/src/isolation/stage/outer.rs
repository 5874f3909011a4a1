//! The launcher's first process: the engine's child, outside of the process namespace.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::thread::{CapabilitySet, UnshareFlags};

use super::verdict::{At, Failure, Verdict};
use super::view;
use super::way_out::WayOut;
use super::{FAILED, LASTING_NAME};
use super::{init, spare};
use crate::isolation::{Network, Plan, Step};
use crate::sys;

/// Creates the namespaces, starts process 1, waits for it, and ends as the program has ended.
pub(super) fn run(plan: &Plan, verdict: Verdict) -> i32 {
    let started = start(plan, &verdict).and_then(|(init, status, way_out)| {
        // Meanwhile process 1 goes on. The report is complete only when this process has closed it, too.
        Ok((init, status, way_out.map(WayOut::wait).transpose()?))
    });
    let (init, status, life) = match started {
        Ok(started) => started,
        Err(failure) => {
            verdict.report(&failure);
            return FAILED;
        }
    };
    end_with(init, &status, life.as_ref(), verdict)
}

/// Waits for process 1, or what has started it, and ends as the program has ended. `life` remains open until then.
pub(super) fn end_with(
    init: Pid,
    status: &OwnedFd,
    life: Option<&OwnedFd>,
    verdict: Verdict,
) -> i32 {
    drop(verdict);
    // A pipe that stays open here would look open to the engine, and to the program.
    let life = life.unwrap_or(status);
    sys::close_all_but([status.as_raw_fd(), life.as_raw_fd()]);
    let mut reported = [0; 4];
    let count = rustix::io::retry_on_intr(|| rustix::io::read(status, &mut reported));
    let ended = rustix::io::retry_on_intr(|| waitpid(Some(init), WaitOptions::empty()));
    match (count, ended) {
        (Ok(4), _) => end_as(i32::from_le_bytes(reported)),
        // Process 1 was killed, and with it the program.
        (_, Ok(Some((_, status)))) => end_as(status.as_raw()),
        _ => FAILED,
    }
}

/// Creates the namespaces and process 1, and returns that, the pipe on which it reports the program's status, and the way out.
fn start(plan: &Plan, verdict: &Verdict) -> Result<(Pid, OwnedFd, Option<WayOut>), Failure> {
    // What is sent to the whole run must not end it here: the program decides. Only KILL does.
    sys::block_signals().at(Step::Launcher)?;
    let way_out = plan.way_out.as_deref().map(WayOut::prepare).transpose()?;
    let mut binds = Vec::new();
    if plan.is_lasting {
        rustix::thread::set_name(LASTING_NAME).at(Step::Launcher)?;
        if plan.isolation.user.is_some() {
            binds = view::open_binds(&plan.isolation)?;
        }
    }
    change_user(plan).at(Step::User)?;
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    sys::unshare(UnshareFlags::NEWUSER).at(Step::UserNamespace)?;
    let map = |id: u32| format!("{id} {id} 1\n");
    std::fs::write("/proc/self/setgroups", "deny").at(Step::UserMap)?;
    std::fs::write("/proc/self/uid_map", map(uid.as_raw())).at(Step::UserMap)?;
    std::fs::write("/proc/self/gid_map", map(gid.as_raw())).at(Step::UserMap)?;
    let mut flags = UnshareFlags::NEWPID
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    if plan.isolation.network() != Network::Host {
        flags |= UnshareFlags::NEWNET;
    }
    if !plan.is_spare {
        flags |= UnshareFlags::NEWNS;
    }
    sys::unshare(flags).at(Step::Namespaces)?;
    way_out.as_ref().map_or(Ok(()), WayOut::connect)?;
    if plan.has_terminal() {
        // A terminal belongs to one session, and the program is to have one of its own.
        sys::give_up_terminal(io::stdin().as_fd()).at(Step::Terminal)?;
    }
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).at(Step::Init)?;
    match sys::fork_process().at(Step::Init)? {
        Some(init) => Ok((init, read, way_out)),
        None => {
            drop(read);
            if plan.is_spare {
                spare::wait(plan, verdict, write);
            }
            let view = || init::make_view(plan, binds);
            init::run(plan, view, verdict, &write)
        }
    }
}

/// Takes the rights of the plan's user, and gives up supplementary groups where that is possible.
pub(super) fn change_user(plan: &Plan) -> io::Result<()> {
    use rustix::thread::{
        Gid, Uid, capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    };
    let can = capabilities(None)?.effective;
    if plan.isolation.user.is_some() || can.contains(CapabilitySet::SETGID) {
        match set_thread_groups(&[]) {
            Err(Errno::PERM) if plan.isolation.user.is_none() && are_groups_fixed() => {}
            changed => changed?,
        }
    }
    let Some((uid, gid)) = plan.isolation.user else {
        return Ok(());
    };
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let users = [rustix::process::getuid(), rustix::process::geteuid()];
    let groups = [rustix::process::getgid(), rustix::process::getegid()];
    if users != [uid; 2] || groups != [gid; 2] {
        return Err(Errno::PERM.into());
    }
    // Its own entries in `/proc` belong to root after a change of user, until this.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)
        .map_err(Into::into)
}

/// Returns whether this user namespace forbids to change groups, whatever capabilities a process has in it.
fn are_groups_fixed() -> bool {
    let setting = std::fs::read_to_string("/proc/self/setgroups");
    setting.is_ok_and(|setting| setting.trim() == "deny")
}

/// Ends this process in the way of `status`, a status as `waitpid(2)` reports it.
fn end_as(status: i32) -> i32 {
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else if libc::WIFSIGNALED(status) {
        sys::die_by(libc::WTERMSIG(status))
    } else {
        FAILED
    }
}
