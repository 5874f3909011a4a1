//! The processes below one.

use std::fmt::Write as _;
use std::fs;

use rustix::process::{Pid, Signal};

/// Ends a process and all below it, and returns a line for each: its number, its state, where it waits in the kernel, and its
/// command.
pub(crate) fn end(root: u32) -> String {
    let mut described = String::new();
    // Those at the top first, so that they start no others.
    let mut waiting = vec![root];
    while let Some(pid) = waiting.pop() {
        let _ = write!(described, "\n{}", describe(pid));
        let Some(process) = process(pid) else {
            continue;
        };
        // One that is stopped keeps its children, which a dead one does not.
        let _ = rustix::process::kill_process(process, Signal::STOP);
        waiting.extend(children(pid));
        let _ = rustix::process::kill_process(process, Signal::KILL);
    }
    described
}

/// A process by its number.
pub(crate) fn process(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

fn describe(pid: u32) -> String {
    let read = |name| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let status = String::from_utf8_lossy(&read("stat")).into_owned();
    let state = status
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    let place = String::from_utf8_lossy(&read("wchan")).into_owned();
    let state = state.unwrap_or('?');
    format!("  {pid} {state} {place} {}", command_line(pid).trim_end())
}

/// The arguments of a process, a space after each.
pub(crate) fn command_line(pid: u32) -> String {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&arguments).replace('\0', " ")
}

/// The children of all threads of a process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    let lists = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|number| number.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}
