//! `posix_spawn(3)` with everything that a child of ours needs.
//!
//! glibc makes it `clone(CLONE_VM | CLONE_VFORK)`: its cost does not grow with this process, where `fork` copies
//! page tables (21 ms at 1 GiB). Whatever it cannot do, the child must do after its `exec`.

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

/// Which group the child is put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// A process group of its own, in our session.
    Process,
    /// A session (and so a group) of its own, without a terminal.
    Session,
}

/// Starts `program` and gives back its process id; the caller reaps it.
///
/// The child has exactly `fds`, numbered from 0; an empty signal mask and default dispositions; `cwd`; `env` and
/// nothing else of ours. The error is the one of the step that failed, `chdir` and `exec` alike.
pub(crate) fn posix_spawn(
    program: &CStr,
    argv: &[CString],
    env: &[CString],
    cwd: &CStr,
    fds: &[BorrowedFd<'_>],
    group: Group,
) -> io::Result<libc::pid_t> {
    // dup2 onto 0..n must not overwrite a source that a later dup2 needs.
    let count = RawFd::try_from(fds.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let sources = fds
        .iter()
        .map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, count.max(3)))
        .collect::<Result<Vec<_>, _>>()?;

    let mut actions = FileActions::new()?;
    actions.chdir(cwd)?;
    for (target, source) in (0..).zip(&sources) {
        actions.dup2(source.as_raw_fd(), target)?;
    }
    actions.close_from(count)?;
    let attributes = Attributes::new(group)?;

    let argv = pointers(argv);
    let env = pointers(env);
    let mut pid = 0;
    // SAFETY: every pointer is to a live NUL-terminated string or a NULL-terminated array of such, and the
    // attribute objects are initialized; posix_spawn keeps none of them.
    check(unsafe {
        libc::posix_spawn(
            &raw mut pid,
            program.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            argv.as_ptr(),
            env.as_ptr(),
        )
    })?;
    Ok(pid)
}

struct FileActions(libc::posix_spawn_file_actions_t);

impl FileActions {
    fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: init writes the whole object, and it is assumed initialized only on success.
        check(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: initialized by the call above.
        Ok(Self(unsafe { actions.assume_init() }))
    }

    fn chdir(&mut self, path: &CStr) -> io::Result<()> {
        // SAFETY: the object is initialized; the path is copied.
        check(unsafe { libc::posix_spawn_file_actions_addchdir_np(&raw mut self.0, path.as_ptr()) })
    }

    fn dup2(&mut self, source: RawFd, target: RawFd) -> io::Result<()> {
        // SAFETY: the object is initialized; descriptors are plain numbers here.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.0, source, target) })
    }

    /// Closes `first` and everything above it: a library cannot answer for its host's descriptors.
    #[cfg(target_env = "gnu")]
    fn close_from(&mut self, first: RawFd) -> io::Result<()> {
        // SAFETY: the object is initialized.
        check(unsafe { libc::posix_spawn_file_actions_addclosefrom_np(&raw mut self.0, first) })
    }

    /// musl has no such action; there our own descriptors are close-on-exec, and a daemon marks those it
    /// inherited at its start (`close_on_exec_from`).
    #[cfg(not(target_env = "gnu"))]
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "the twin above fails"
    )]
    fn close_from(&mut self, _first: RawFd) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: initialized in `new`, destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new(group: Group) -> io::Result<Self> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: init writes the whole object, and it is assumed initialized only on success.
        check(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: initialized by the call above.
        let mut this = Self(unsafe { attributes.assume_init() });

        let group_flag = match group {
            Group::Process => libc::POSIX_SPAWN_SETPGROUP,
            Group::Session => i32::from(libc::POSIX_SPAWN_SETSID),
        };
        let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF | group_flag;
        let flags = libc::c_short::try_from(flags).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the object is initialized.
        check(unsafe { libc::posix_spawnattr_setflags(&raw mut this.0, flags) })?;
        // Group 0 means the child's own id.
        // SAFETY: the object is initialized.
        check(unsafe { libc::posix_spawnattr_setpgroup(&raw mut this.0, 0) })?;
        let none = signal_set(libc::sigemptyset)?;
        // SAFETY: both objects are initialized; the set is copied.
        check(unsafe { libc::posix_spawnattr_setsigmask(&raw mut this.0, &raw const none) })?;
        // std ignores SIGPIPE in this process, and an ignored signal stays ignored across exec.
        let all = signal_set(libc::sigfillset)?;
        // SAFETY: both objects are initialized; the set is copied.
        check(unsafe { libc::posix_spawnattr_setsigdefault(&raw mut this.0, &raw const all) })?;
        Ok(this)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialized in `new`, destroyed once.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

fn signal_set(
    fill: unsafe extern "C" fn(*mut libc::sigset_t) -> libc::c_int,
) -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset and sigfillset write the whole set.
    if unsafe { fill(set.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: written by the call above.
    Ok(unsafe { set.assume_init() })
}

/// The strings as a NULL-terminated array; borrowed by the caller for as long as it is used.
fn pointers(strings: &[CString]) -> Vec<*mut c_char> {
    strings
        .iter()
        .map(|string| string.as_ptr().cast_mut())
        .chain([ptr::null_mut()])
        .collect()
}

/// The posix_spawn family returns the error instead of setting `errno`.
fn check(code: libc::c_int) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}
