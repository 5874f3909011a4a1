//! What engines have left that were killed: their processes and their files.

use std::path::Path;
use std::sync::Once;

use super::directory::{Directory, Lock};
use super::notes;
use super::owner::Owner;
use super::place::{PREFIX, Parent, SESSIONS_PREFIX};
use super::scratch::removed;

/// Ends the processes and removes the files of engines that were killed.
pub(super) fn clean(parent: &Parent) {
    for (name, directory) in private_directories(&parent.directory) {
        // Not locked: its process has ended.
        let Ok(Lock::Taken(_lock)) = directory.lock() else {
            continue;
        };
        let owner = match Owner::read(&directory) {
            Some(owner) => owner,
            // In a shared place another engine may be about to use it.
            None if parent.lock.is_none() => continue,
            None => {
                let path = Path::new(&name);
                removed(path, parent.directory.remove(name.as_bytes()));
                continue;
            }
        };
        // The lock is held meanwhile, so that another engine that starts here does not do the same.
        // First the processes, which may still write to the files.
        let processes = owner.end();
        notes::remove_files(&directory);
        match parent.directory.remove(name.as_bytes()) {
            Ok(()) => tracing::warn!(
                pid = owner.pid,
                processes,
                "a daemon was killed here: ended what it had started, and removed its files"
            ),
            Err(error) => {
                tracing::warn!(%error, %name, "cannot remove what a killed daemon has left")
            }
        }
    }
}

/// Runs [`clean`] on the system's directory for temporary files, once per process and on a thread; it may have many entries.
pub(super) fn clean_once(path: &Path) {
    static ONCE: Once = Once::new();
    let path = path.to_owned();
    ONCE.call_once(|| {
        let work = move || {
            if let Ok(directory) = Directory::open(&path) {
                clean(&Parent {
                    directory,
                    lock: None,
                });
            }
        };
        let thread = std::thread::Builder::new().name("sandbox-clean".to_owned());
        if let Err(error) = thread.spawn(work) {
            tracing::debug!(%error, "cannot look for what killed daemons have left");
        }
    });
}

/// Returns this user's directories in `directory` with a name that [`Own::make`](super::place::Own::make) creates.
pub(super) fn private_directories(
    directory: &Directory,
) -> impl Iterator<Item = (String, Directory)> {
    let names = directory.names().unwrap_or_default().into_iter();
    let names = names.filter_map(|name| name.into_string().ok());
    let is_one = |name: &String| {
        let digits = name.strip_prefix(SESSIONS_PREFIX);
        let digits = digits.or_else(|| name.strip_prefix(PREFIX));
        let digits = digits.unwrap_or_default();
        digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    names.filter(is_one).filter_map(|name| {
        let found = directory.enter(name.as_bytes()).ok()?;
        found.is_this_users().then_some((name, found))
    })
}
