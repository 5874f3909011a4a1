//! Tests of state directories, and of what is left in them.

use std::io;
use std::path::Path;
use std::time::Instant;

use super::State;
use super::abandoned::clean;
use super::directory::{Directory, Lock, PRIVATE};
use super::owner::Owner;
use super::place::{PREFIX, Parent};
use crate::limits::STATE_LOCK_WAIT;
use crate::tag::Instance;

fn state(path: &Path) -> io::Result<State> {
    State::at(path, Instance::draw())
}

#[test]
fn a_state_directory_is_for_one_engine() {
    let home = tempfile::tempdir().unwrap();
    let first = state(home.path()).unwrap();
    let refused = state(home.path()).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
    let expect = format!("process {} uses it", std::process::id());
    assert_eq!(refused.to_string(), expect);
    // Also when the first one has to create its directory again.
    std::fs::remove_dir_all(&first.own().unwrap().path).unwrap();
    first.scratch("a", b"").unwrap();
    assert!(state(home.path()).is_err());
    drop(first);
    state(home.path()).unwrap();
}

#[test]
fn an_unowned_lock_is_waited_for_and_refused() {
    let home = tempfile::tempdir().unwrap();
    let directory = Directory::open(home.path()).unwrap();
    let Lock::Taken(lock) = directory.lock().unwrap() else {
        panic!("it is locked");
    };
    let begun = Instant::now();
    let refused = state(home.path()).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
    assert!(begun.elapsed() >= STATE_LOCK_WAIT);
    drop(lock);
    state(home.path()).unwrap();
}

#[test]
fn what_is_left_is_removed_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let parent = Directory::open(home.path()).unwrap();
    let name = |n: u8| format!("{PREFIX}{n:032x}");
    let left = parent.make(name(1).as_bytes(), PRIVATE).unwrap();
    Owner::here(Instance::draw()).write(&left).unwrap();
    let other = parent.make(b"sandbox-other", PRIVATE).unwrap();
    Owner::here(Instance::draw()).write(&other).unwrap();
    let used = parent.make(name(2).as_bytes(), PRIVATE).unwrap();
    Owner::here(Instance::draw()).write(&used).unwrap();
    let Lock::Taken(_lock) = used.lock().unwrap() else {
        panic!("it is locked");
    };
    std::os::unix::fs::symlink("/", home.path().join(name(3))).unwrap();
    parent.make(name(4).as_bytes(), PRIVATE).unwrap();
    // A place that is shared with others.
    clean(&Parent {
        directory: Directory::open(home.path()).unwrap(),
        lock: None,
    });
    let names = || {
        let names = parent.names().unwrap().into_iter();
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    let kept = [name(2), name(3), name(4), "sandbox-other".to_owned()];
    assert_eq!(names(), kept);
    // A place of this engine alone.
    let state = state(home.path()).unwrap();
    let own = state.own().unwrap().name.clone();
    let mut kept = vec![name(2), name(3), "sandbox-other".to_owned(), own];
    kept.sort();
    assert_eq!(names(), kept);
}
