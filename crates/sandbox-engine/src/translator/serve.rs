//! The translator process: receives requests, and runs each on a thread with a large stack.
//!
//! It runs in the host program before its `main`, see `sys/before_main.rs`; so it uses nothing of the host's, and exits
//! by `_exit`. The main thread always reads: when the engine has ended it sees the end of the socket, whatever the other
//! thread does.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use super::settings::Settings;
use crate::procfs;
use crate::sys;

/// The work of a translator: a pure function.
pub(crate) type Work = fn(&[u8]) -> Vec<u8>;

/// Serves requests until there are no more, and returns the process's exit code.
pub(crate) fn serve(settings: Settings, line: UnixStream, work: Work) -> i32 {
    match hold(settings).and_then(|()| requests(settings, line, work)) {
        Ok(()) => 0,
        Err(_) => FAILED,
    }
}

/// Applies the limits to this process.
fn hold(settings: Settings) -> io::Result<()> {
    // When memory is short this process is killed before the engine, and before the engine's runs.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    // A stack overflow must not dump core. The limit is ignored where a program receives the dumps.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    limit(Resource::Core, 0)?;
    limit(Resource::As, settings.memory_bytes)
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let now = rustix::process::getrlimit(resource).maximum;
    let most = now.map_or(most, |now| now.min(most));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(rustix::process::setrlimit(resource, limit)?)
}

fn requests(settings: Settings, mut line: UnixStream, work: Work) -> io::Result<()> {
    let stack_bytes = possible_stack(settings.stack_bytes);
    let mut working = None;
    while is_wanted(&line, settings.idle, &working)? {
        let Some(request) = next(&mut line)? else {
            break;
        };
        let mut back = line.try_clone()?;
        let answer = move || {
            let (kind, response) = match catch_unwind(AssertUnwindSafe(|| work(&request))) {
                Ok(response) => (DONE, response),
                Err(panic) => (PANICKED, message(&*panic).into()),
            };
            drop(request);
            if respond(&mut back, kind, &response).is_err() {
                sys::exit_now(FAILED);
            }
            drop(response);
            if resident_bytes() > settings.resident_bytes {
                sys::exit_now(0);
            }
        };
        let thread = thread::Builder::new().stack_size(stack_bytes);
        working = Some(thread.spawn(answer)?);
    }
    Ok(())
}

/// Waits until something can be read, or nothing was for `idle` after the response to a request.
///
/// A translator that has no request so far is new, and one is sent to it as soon as its engine gets a processor; it must
/// not leave before. Not by a read timeout, which could also pass in the middle of a request.
fn is_wanted(
    line: &UnixStream,
    idle: Duration,
    working: &Option<JoinHandle<()>>,
) -> io::Result<bool> {
    let limit = Timespec::try_from(idle).map_err(io::Error::other)?;
    loop {
        // Read before the wait, so that the whole of it is after the end of the work.
        let is_idle = working.as_ref().is_some_and(JoinHandle::is_finished);
        match poll(&mut [PollFd::new(line, PollFlags::IN)], Some(&limit)) {
            Ok(0) if is_idle => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns the size of the largest stack that can be mapped, up to `bytes`: a system that promises no more memory than
/// it has may refuse a large one.
fn possible_stack(mut bytes: usize) -> usize {
    let is_possible = |bytes| {
        let thread = thread::Builder::new().stack_size(bytes).spawn(|| ());
        thread.is_ok_and(|thread| thread.join().is_ok())
    };
    while bytes > LEAST_STACK_BYTES && !is_possible(bytes) {
        bytes /= 2;
    }
    bytes
}

/// Reads the next request; `None` at the end of the socket.
fn next(line: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    match line.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Ok(None),
                _ => Err(error),
            };
        }
    }
    let length = u64::from_le_bytes(length);
    let mut request = Vec::new();
    line.take(length).read_to_end(&mut request)?;
    Ok((request.len() as u64 == length).then_some(request))
}

fn respond(line: &mut UnixStream, kind: u8, response: &[u8]) -> io::Result<()> {
    line.write_all(&[kind])?;
    line.write_all(&(response.len() as u64).to_le_bytes())?;
    line.write_all(response)
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".to_owned())
}

/// Returns the bytes of memory that are private to this process. If the system does not report them, returns the maximum,
/// so that the process ends.
fn resident_bytes() -> u64 {
    let status = procfs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    number.map_or(u64::MAX, |kilobytes| kilobytes * 1024)
}

/// The status of a response that the work has returned.
pub(super) const DONE: u8 = 0;

/// The status of a response that is the message of a panic.
pub(super) const PANICKED: u8 = 1;

/// The exit code of a translator that cannot continue.
const FAILED: i32 = 1;

/// The smallest stack with which a thread is started.
const LEAST_STACK_BYTES: usize = 1024 * 1024;
