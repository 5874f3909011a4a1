//! What becomes of processes and files when the daemon itself is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Child;

use rustix::process::{Pid, Signal};
use serde_json::json;

use crate::binary::{end, execute, fails, request, wait_for};
use crate::files::{Home, OPTIONS};

/// A process, distinguished from a later one with the same number.
type Process = (u32, u64);

/// What runs below a process, with its name; zombies are left out.
fn below(root: u32) -> BTreeMap<Process, String> {
    let mut found = BTreeMap::new();
    let mut parents = BTreeSet::from([root]);
    loop {
        let before = found.len();
        for pid in pids() {
            if let Some((parent, start, name)) = stat(pid)
                && parents.contains(&parent)
            {
                parents.insert(pid);
                found.insert((pid, start), name);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let names = std::fs::read_dir("/proc").unwrap();
    let names = names.map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.to_str()?.parse().ok())
}

/// The parent, the start and the name of a live process.
fn stat(pid: u32) -> Option<(u32, u64, String)> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = line.split_once(" (")?.1.rsplit_once(") ")?;
    let fields: Vec<_> = rest.split(' ').collect();
    let is_live = !matches!(fields[0], "Z" | "X");
    is_live.then_some((
        fields[1].parse().ok()?,
        fields[19].parse().ok()?,
        name.to_owned(),
    ))
}

fn is_alive(&(pid, start): &Process) -> bool {
    stat(pid).is_some_and(|(_, other, _)| other == start)
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

/// The one guardian of a daemon. It gets its name once the system lets it run for the first time.
fn guardian(daemon: &Child) -> Process {
    let mut found = Vec::new();
    wait_for(|| {
        found = guardians(daemon);
        !found.is_empty()
    });
    assert_eq!(found.len(), 1);
    found[0]
}

/// The guardians of a daemon: they hold a descriptor of its process, and are none of its children.
fn guardians(daemon: &Child) -> Vec<Process> {
    let of = format!("Pid:\t{}\n", daemon.id());
    let mut found = Vec::new();
    for pid in pids() {
        let Some((_, start, _)) = stat(pid).filter(|(.., name)| name == "sandbox-guard") else {
            continue;
        };
        let fds = std::fs::read_dir(format!("/proc/{pid}/fdinfo"));
        let mut fds = fds.into_iter().flatten().flatten();
        if fds.any(|fd| std::fs::read_to_string(fd.path()).is_ok_and(|info| info.contains(&of))) {
            found.push((pid, start));
        }
    }
    assert!(
        !below(daemon.id())
            .values()
            .any(|name| name == "sandbox-guard")
    );
    found
}

const SLEEP: &str = "sleep 1000 </dev/null >/dev/null 2>&1 &";

/// Has a daemon run something of each kind.
fn busy(address: &str, home: &Path) {
    for id in ["idle", "behind", "running"] {
        let body = json!({ "sessionId": id });
        request(address, "POST", "/process/session", &body);
    }
    let run = |session: &str, command: &str, is_async: bool| {
        let body = json!({ "command": command, "runAsync": is_async });
        request(
            address,
            "POST",
            &format!("/process/session/{session}/exec"),
            &body,
        )
    };
    run(
        "behind",
        &format!("{SLEEP} (trap '' TERM HUP; sleep 1001) >/dev/null 2>&1 & ({SLEEP})"),
        false,
    );
    run("running", "while :; do echo tick; sleep 0.02; done", true);
    request(
        address,
        "POST",
        "/process/pty",
        &json!({ "id": "terminal" }),
    );
    request(address, "POST", "/process/interpreter/context", &json!({}));
    for language in ["python", "javascript"] {
        let body = json!({ "language": language, "code": "1" });
        request(address, "POST", "/process/code-run", &body);
    }
    let file = home.join("waits");
    let (command, address) = (
        format!("{SLEEP} : > {}; sleep 1000; :", file.display()),
        address.to_owned(),
    );
    std::thread::spawn(move || {
        // It gets no response.
        let _ = std::panic::catch_unwind(|| execute(&address, "", &command));
    });
    wait_for(|| file.exists());
}

#[test]
fn what_a_killed_daemon_ran_ends_and_the_next_one_finds_nothing() {
    let home = Home::new();
    let (mut child, address) = home.start("022");
    busy(&address, home.directory.path());
    let ran = below(child.id());
    assert!(ran.len() > 10, "{ran:?}");
    kill(child.id());
    child.wait().unwrap();
    wait_for(|| !ran.keys().any(is_alive));
    let (child, address) = home.start("022");
    let sessions = request(&address, "GET", "/process/session", &json!({}));
    assert!(sessions.ends_with("[]"), "{sessions}");
    end(child);
    let left = home.modes();
    let left = left
        .iter()
        .filter(|(path, _)| !path.starts_with(home.path("tmp")));
    assert_eq!(left.count(), 0);
}

/// The one that was to end its processes is killed before it.
#[test]
fn the_next_daemon_ends_what_is_left_and_says_so() {
    let home = Home::new();
    let (mut child, address) = home.start("022");
    execute(&address, "", &format!("{SLEEP} {SLEEP}"));
    let sleeping = below(child.id());
    assert_eq!(sleeping.len(), 2);
    let guardian = guardian(&child);
    kill(guardian.0);
    wait_for(|| !is_alive(&guardian));
    kill(child.id());
    child.wait().unwrap();
    assert!(sleeping.keys().all(is_alive));
    // Of a daemon elsewhere they are none of its business.
    let other = Home::new();
    let (elsewhere, _) = other.start("022");
    end(elsewhere);
    assert!(sleeping.keys().all(is_alive));
    let (child, _) = home.start("022");
    assert!(!sleeping.keys().any(is_alive));
    end(child);
    let said = std::fs::read_to_string(home.path("log")).unwrap();
    assert!(
        said.contains("a daemon was killed here") && said.contains("processes=2"),
        "{said}"
    );
    assert_eq!(home.modes(), []);
}

#[test]
fn a_state_directory_that_is_in_use_is_refused() {
    let home = Home::new();
    let (child, _) = home.start("022");
    let state = home.path("state");
    let expect = format!("process {} uses it", child.id());
    fails(
        &[&OPTIONS[..], &[state.to_str().unwrap()]].concat(),
        &expect,
    );
    end(child);
    let (child, _) = home.start("022");
    end(child);
}

#[test]
fn a_guardian_that_was_killed_is_replaced() {
    let home = Home::new();
    let (mut child, address) = home.start("022");
    execute(&address, "", "true");
    let first = guardian(&child);
    kill(first.0);
    wait_for(|| !is_alive(&first));
    execute(&address, "", SLEEP);
    let second = guardian(&child);
    let ran = below(child.id());
    kill(child.id());
    child.wait().unwrap();
    wait_for(|| !ran.keys().chain([&second]).any(is_alive));
}

/// It has a guardian only while it lives.
#[test]
fn a_daemon_that_ends_takes_its_guardian_along() {
    let home = Home::new();
    let (child, address) = home.start("022");
    execute(&address, "", "true");
    let guardian = guardian(&child);
    end(child);
    assert!(!is_alive(&guardian));
}
