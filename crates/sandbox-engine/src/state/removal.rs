//! Removes a directory with its contents, whatever a program has made of it.
//!
//! A tree may have more levels than this process has descriptors, or a thread has stack. So no way down is followed: a directory
//! that is found below the first level and is not empty is moved up to the first one, and emptied there. Nothing goes through a link,
//! and nothing into another file system.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::limits::{REMOVAL, REMOVALS};

/// Removes the directory `name` in `parent` with its contents; one that is not there is no error.
///
/// # Errors
///
/// Returns errors of the system: `CrossesDevices` or `ResourceBusy` for a mounted directory, which is left as it is; `TimedOut` if the
/// directory is not removed within [`REMOVAL`], as one to which processes write without end.
pub(super) fn remove(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    remove_by(parent, name, Some(Instant::now() + REMOVAL))
}

/// Removes the directory `name` in `parent` with its contents, whatever programs have made of it: any depth, any modes. Follows no
/// link. One that is not there is no error. Blocks, without a time limit.
///
/// # Errors
///
/// Returns errors of the system: `CrossesDevices` or `ResourceBusy` for a mounted directory, which is left as it is.
pub fn remove_tree(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    remove_by(parent, name, None)
}

fn remove_by(parent: BorrowedFd<'_>, name: &[u8], deadline: Option<Instant>) -> io::Result<()> {
    if unlink(parent, name)? {
        return Ok(());
    }
    let device = rustix::fs::fstat(parent)?.st_dev;
    let top = open(parent, name, device)?;
    let mut removal = Removal {
        top: top.as_fd(),
        device,
        deadline,
        prefix: Uuid::new_v4().simple().to_string(),
        moved: 0,
        has_changed: false,
        failure: None,
    };
    let mut vain = 0;
    loop {
        removal.has_changed = false;
        removal.failure = None;
        if let Err(error) = removal.empty(top.as_fd(), 0) {
            removal.failure = Some(error);
        }
        match unlink(parent, name) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => removal.failure = Some(error),
        }
        if removal.is_late() {
            let message = "processes still write to the directory, or it has too many entries";
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        // Processes that still write there may have had a part in it.
        vain = if removal.has_changed { 0 } else { vain + 1 };
        if vain == ATTEMPTS {
            return Err(removal.failure.unwrap_or(Errno::NOTEMPTY).into());
        }
    }
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    device: u64,
    deadline: Option<Instant>,
    /// Of the names that directories get in the first level.
    prefix: String,
    moved: u64,
    /// Whether anything was removed or moved in this pass.
    has_changed: bool,
    /// The last error of this pass.
    failure: Option<Errno>,
}

impl Removal<'_> {
    /// Removes what is in `directory`, which is `depth` levels below the top; moves directories in it up instead, if they are
    /// not empty.
    fn empty(&mut self, directory: BorrowedFd<'_>, depth: usize) -> rustix::io::Result<()> {
        let mut entries = Dir::read_from(directory)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if self.is_late() {
                return Ok(());
            }
            if let Err(error) = self.take(directory, name, depth) {
                // The others can be removed nevertheless.
                self.failure = Some(error);
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        directory: BorrowedFd<'_>,
        name: impl Arg + Copy,
        depth: usize,
    ) -> rustix::io::Result<()> {
        let is_done = unlink(directory, name)? || (depth > 0 && self.move_up(directory, name));
        if is_done {
            self.has_changed = true;
            return Ok(());
        }
        if depth == DEPTH {
            return Err(Errno::NAMETOOLONG);
        }
        let inner = open(directory, name, self.device)?;
        self.empty(inner.as_fd(), depth + 1)?;
        // If something is left in it, or new, it is for the next pass.
        self.has_changed |= unlink(directory, name)?;
        Ok(())
    }

    /// Moves a directory to the first level. Not every file system can, such as overlayfs with a directory of a lower layer.
    fn move_up(&mut self, from: BorrowedFd<'_>, name: impl Arg + Copy) -> bool {
        self.moved += 1;
        let to = format!("{}-{}", self.prefix, self.moved);
        let moved = match rustix::fs::renameat(from, name, self.top, &to) {
            // Its entry `..` changes, so it must be writable.
            Err(Errno::ACCESS) => open(from, name, self.device)
                .and_then(|_| rustix::fs::renameat(from, name, self.top, &to)),
            moved => moved,
        };
        moved.is_ok()
    }

    fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Removes a file, a link or an empty directory; returns whether it is removed. A directory on which another is mounted is an error.
fn unlink(parent: BorrowedFd<'_>, name: impl Arg + Copy) -> rustix::io::Result<bool> {
    // Linux reports `EISDIR` for a directory (unlink(2)), so that its type need not be asked for.
    let removed = match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR),
        removed => removed,
    };
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        // rmdir(2) has both for a directory that is not empty.
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a directory of this device for reading, after its owner was given all rights to it.
fn open(parent: BorrowedFd<'_>, name: impl Arg + Copy, device: u64) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let named = rustix::fs::openat(parent, name, OFlags::PATH | flags, Mode::empty())?;
    let found = rustix::fs::fstat(&named)?;
    // Another file system is mounted there, which is not the run's.
    if found.st_dev != device {
        return Err(Errno::XDEV);
    }
    if !Mode::from_raw_mode(found.st_mode).contains(Mode::RWXU) {
        // The descriptor's own link, since the name could refer to another directory meanwhile. Without it the next call fails.
        let link = format!("/proc/self/fd/{}", named.as_raw_fd());
        let _ = rustix::fs::chmod(link, Mode::RWXU);
    }
    rustix::fs::openat(&named, ".", flags, Mode::empty())
}

/// Passes in a row that remove nothing, before a removal fails.
const ATTEMPTS: usize = 8;

/// Levels down to which directories are opened where they cannot be moved. Each takes two descriptors.
const DEPTH: usize = 32;

/// The removals of one engine in the background.
#[derive(Debug, Default)]
pub(super) struct Removals {
    tasks: TaskTracker,
}

static AT_A_TIME: Semaphore = Semaphore::const_new(REMOVALS);

impl Removals {
    /// Drops `left`, which removes a directory, on a thread that may block; at most [`REMOVALS`] at a time.
    pub(super) fn add(&self, left: impl Send + 'static) {
        self.add_to(&AT_A_TIME, left);
    }

    fn add_to(&self, most: &'static Semaphore, left: impl Send + 'static) {
        let removal = async move {
            let permit = most.acquire().await;
            // The permit is the thread's: a task that is aborted does not free the place of a
            // thread that still works.
            let remove = move || {
                drop(left);
                drop(permit);
            };
            let _ = tokio::task::spawn_blocking(remove).await;
        };
        // Without a runtime no other thread is there for it.
        if let Ok(runtime) = Handle::try_current() {
            self.tasks.spawn_on(removal, &runtime);
        }
    }

    /// Resolves when everything is removed that has been added.
    pub(super) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Returns the number of removals that have not ended.
    pub(super) fn count(&self) -> usize {
        self.tasks.len()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;
    use std::sync::mpsc;
    use std::time::Duration;

    use rustix::fs::CWD;
    use rustix::mount::{MountFlags, UnmountFlags};
    use rustix::thread::{CapabilitySet, CapabilitySets};

    use super::*;

    fn home() -> (tempfile::TempDir, OwnedFd) {
        // In memory: a disk takes up to two milliseconds for the removal of each directory.
        let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let home = home.unwrap();
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let fd = rustix::fs::openat(CWD, home.path(), flags, Mode::empty()).unwrap();
        (home, fd)
    }

    /// Creates a tree with `chains` times 1000 levels, each directory with `mode`, which no path can name.
    fn deep(top: &Path, chains: usize, mode: Mode) {
        fs::create_dir_all(top).unwrap();
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let top = rustix::fs::openat(CWD, top, flags, Mode::empty()).unwrap();
        for chain in 0..chains {
            let first = format!("chain-{chain}");
            rustix::fs::mkdirat(&top, &first, Mode::RWXU).unwrap();
            let mut at = rustix::fs::openat(&top, &first, flags, Mode::empty()).unwrap();
            for _ in 1..1000 {
                rustix::fs::mkdirat(&at, "d", mode).unwrap();
                at = rustix::fs::openat(&at, "d", flags, Mode::empty()).unwrap();
            }
            rustix::fs::symlinkat("/", &at, "link").unwrap();
            if chain > 0 {
                let before = format!("chain-{}", chain - 1);
                rustix::fs::renameat(&top, before, &at, "d").unwrap();
            }
        }
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Runs `work` without the right to use files of any mode, as an ordinary user.
    fn without_rights(work: impl FnOnce() + Send + 'static) {
        let thread = move || {
            let none = CapabilitySets {
                effective: CapabilitySet::empty(),
                permitted: CapabilitySet::empty(),
                inheritable: CapabilitySet::empty(),
            };
            rustix::thread::set_capabilities(None, none).unwrap();
            work();
        };
        std::thread::spawn(thread).join().unwrap();
    }

    fn descriptors() -> usize {
        fs::read_dir("/proc/self/fd").unwrap().count()
    }

    #[test]
    fn a_tree_deeper_than_descriptors_and_stack_is_removed() {
        let (home, fd) = home();
        deep(&home.path().join("t"), 25, Mode::RWXU);
        let remove = move || remove(fd.as_fd(), b"t");
        // Far less than one frame for each level.
        let thread = std::thread::Builder::new().stack_size(64 * 1024);
        let most = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let removing = thread.spawn_scoped(scope, remove).unwrap();
            while !removing.is_finished() {
                most.fetch_max(descriptors(), std::sync::atomic::Ordering::Relaxed);
                std::thread::yield_now();
            }
            removing.join().unwrap().unwrap();
        });
        assert!(most.into_inner() < 500, "descriptors");
        assert!(!home.path().join("t").exists());
    }

    #[test]
    fn modes_keep_nothing_from_being_removed() {
        without_rights(|| {
            let (home, fd) = home();
            let top = home.path().join("t");
            for mode in [0o000, 0o300, 0o500, 0o400, 0o100] {
                let at = top.join(format!("{mode:o}/a/b/c"));
                fs::create_dir_all(&at).unwrap();
                fs::write(at.join("file"), "").unwrap();
                for path in at.ancestors().take(4) {
                    chmod(path, mode | 0o300);
                }
                for path in at.ancestors().take(4) {
                    chmod(path, mode);
                }
            }
            chmod(&top, 0o000);
            assert!(fs::read_dir(&top).is_err());
            remove(fd.as_fd(), b"t").unwrap();
            assert!(!top.exists());
            // Each of them has to be made writable before it can be moved.
            deep(&top, 1, Mode::RWXU);
            let mut at = top.join("chain-0");
            for _ in 0..500 {
                at.push("d");
            }
            for path in at.ancestors().take(500) {
                chmod(path, 0o500);
            }
            remove(fd.as_fd(), b"t").unwrap();
            assert!(!top.exists());
        });
    }

    #[test]
    fn no_link_is_followed() {
        let (home, fd) = home();
        let outside = home.path().join("outside");
        fs::create_dir_all(outside.join("d")).unwrap();
        fs::write(outside.join("d/kept"), "").unwrap();
        chmod(&outside, 0o500);
        let top = home.path().join("t");
        fs::create_dir_all(top.join("a/b")).unwrap();
        for at in ["x", "a/x", "a/b/x"] {
            symlink(&outside, top.join(at)).unwrap();
        }
        remove(fd.as_fd(), b"t").unwrap();
        assert!(!top.exists());
        // Neither is the name itself.
        symlink(&outside, &top).unwrap();
        remove(fd.as_fd(), b"t").unwrap();
        assert!(fs::symlink_metadata(&top).is_err());
        assert!(outside.join("d/kept").exists());
        let mode = fs::metadata(&outside).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o500);
        remove(fd.as_fd(), b"t").unwrap();
    }

    #[test]
    fn what_is_mounted_is_left() {
        let (home, fd) = home();
        let top = home.path().join("t");
        let mounted = top.join("a/b/mounted");
        fs::create_dir_all(&mounted).unwrap();
        fs::write(top.join("a/b/file"), "").unwrap();
        if rustix::mount::mount("none", &mounted, "tmpfs", MountFlags::empty(), None).is_err() {
            eprintln!("skipped: this user cannot mount");
            return;
        }
        fs::write(mounted.join("kept"), "").unwrap();
        let device = rustix::fs::fstat(&fd).unwrap().st_dev;
        let refused = open(CWD, &mounted, device).unwrap_err();
        assert_eq!(refused, Errno::XDEV);
        let error = remove(fd.as_fd(), b"t").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        // Where it is now, and all that is left.
        let left = walk(&top);
        let kept = left.iter().find(|path| path.ends_with("mounted/kept"));
        let kept = kept.expect("it is left").clone();
        assert!(!left.iter().any(|path| path.ends_with("file")));
        rustix::mount::unmount(kept.parent().unwrap(), UnmountFlags::DETACH).unwrap();
        remove(fd.as_fd(), b"t").unwrap();
        assert!(!top.exists());
    }

    fn walk(at: &Path) -> Vec<std::path::PathBuf> {
        let mut found = vec![at.to_owned()];
        let mut next = 0;
        while let Some(path) = found.get(next) {
            next += 1;
            if let Ok(entries) = fs::read_dir(path) {
                found.extend(entries.map(|entry| entry.unwrap().path()));
            }
        }
        found
    }

    #[test]
    fn a_removal_is_not_continued_without_end() {
        let (home, fd) = home();
        let top = home.path().join("t");
        deep(&top, 1, Mode::RWXU);
        let error = remove_by(fd.as_fd(), b"t", Some(Instant::now())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(top.exists());
        // Another one completes it.
        remove(fd.as_fd(), b"t").unwrap();
        assert!(!top.exists());
    }

    #[test]
    fn what_is_written_meanwhile_is_removed_as_well() {
        let (home, fd) = home();
        let top = home.path().join("t");
        fs::create_dir_all(&top).unwrap();
        let (begun, begins) = mpsc::channel();
        let at = top.clone();
        // Until the directory itself is removed, which it can only be between two of these.
        let writer = std::thread::spawn(move || {
            let mut made = 0_u32;
            while fs::create_dir(at.join(format!("{made}"))).is_ok() {
                let inner = at.join(format!("{made}/a/b"));
                let _ = fs::create_dir_all(&inner);
                let _ = fs::write(inner.join("f"), "");
                made += 1;
                if made == 100 {
                    begun.send(()).unwrap();
                }
                if made == 2000 {
                    break;
                }
            }
        });
        begins.recv().unwrap();
        let deadline = Instant::now() + Duration::from_secs(600);
        remove_by(fd.as_fd(), b"t", Some(deadline)).unwrap();
        writer.join().unwrap();
        // `create_dir_all` may have made it again.
        remove(fd.as_fd(), b"t").unwrap();
        assert!(!top.exists());
    }

    struct Waits(mpsc::Sender<()>, mpsc::Receiver<()>);

    impl Drop for Waits {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
            let _ = self.1.recv();
        }
    }

    #[tokio::test]
    async fn removals_take_a_bounded_number_of_threads() {
        static TWO: Semaphore = Semaphore::const_new(2);
        let removals = Removals::default();
        let (begun, begins) = mpsc::channel();
        let mut holds = Vec::new();
        for _ in 0..3 {
            let (hold, held) = mpsc::channel();
            removals.add_to(&TWO, Waits(begun.clone(), held));
            holds.push(hold);
        }
        let two = tokio::task::spawn_blocking(move || {
            begins.recv().unwrap();
            begins.recv().unwrap();
            begins
        });
        let begins = two.await.unwrap();
        assert_eq!((TWO.available_permits(), removals.count()), (0, 3));
        assert!(begins.try_recv().is_err());
        drop(holds);
        removals.ended().await;
        assert!(begins.try_recv().is_ok());
        assert_eq!(removals.count(), 0);
    }
}
