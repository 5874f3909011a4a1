//! Kernel calls of the launcher of isolated processes: a process of one thread, see `isolation/stage/`.

use std::ffi::{CStr, CString, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

use rustix::mount::MountAttrFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::Pid;
use rustix::thread::UnshareFlags;
use seccompiler::BpfProgram;

use super::exit::exit_now;
use super::spawn::pointers;

/// Moves this process into new namespaces.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: unsafe only because of descriptors that threads may share, and no flag is that of descriptors.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Creates a child with a copy of this process's memory; returns `None` in the child.
pub(crate) fn fork_process() -> io::Result<Option<Pid>> {
    // SAFETY: the launcher has one thread, so no lock of another is held in the child, which may do everything.
    match unsafe { libc::fork() } {
        0 => Ok(None),
        pid => match Pid::from_raw(pid.max(0)) {
            Some(pid) => Ok(Some(pid)),
            None => Err(io::Error::last_os_error()),
        },
    }
}

/// Creates a child that does `work` in this process's memory while this process waits; it has a memory of its own from the moment at
/// which it executes a program, and ends with the returned exit code otherwise.
///
/// To copy the tables of the memory, and each page that either process writes to, would take longer than most other steps.
pub(crate) fn fork_to_execute(mut work: impl FnMut() -> c_int) -> io::Result<Pid> {
    extern "C" fn child<W: FnMut() -> c_int>(work: *mut c_void) -> c_int {
        // SAFETY: it is the `work` of the caller, which waits meanwhile.
        unsafe { (*work.cast::<W>())() }
    }
    fn of<W: FnMut() -> c_int>(_: &W) -> extern "C" fn(*mut c_void) -> c_int {
        child::<W>
    }
    let mut stack = vec![MaybeUninit::<u128>::uninit(); STACK_BYTES / size_of::<u128>()];
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: this process has one thread, which waits until the child has executed a program or ended: so no two of them use
    // memory at a time, and `work` and the stack outlive the use. The stack grows down on all our platforms, and its top is aligned
    // to 16 bytes.
    let pid = unsafe {
        libc::clone(
            of(&work),
            stack.as_mut_ptr_range().end.cast(),
            flags,
            (&raw mut work).cast(),
        )
    };
    Pid::from_raw(pid.max(0)).ok_or_else(io::Error::last_os_error)
}

/// The size of the stack of such a child.
const STACK_BYTES: usize = 128 * 1024;

/// Executes a program in this process; returns only with an error.
pub(crate) fn execute(program: &CStr, argv: &[CString], env: &[CString]) -> io::Error {
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: NUL-terminated strings and NULL-terminated arrays of them, all of which live until the call returns.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Blocks every signal that can be blocked.
pub(crate) fn block_signals() -> io::Result<()> {
    set_mask(libc::sigfillset)
}

/// Blocks no signal.
pub(crate) fn unblock_signals() -> io::Result<()> {
    set_mask(libc::sigemptyset)
}

fn set_mask(fill: unsafe extern "C" fn(*mut libc::sigset_t) -> i32) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both functions that are passed write the whole set.
    unsafe { fill(set.as_mut_ptr()) };
    // SAFETY: the set is written, and the former one is not asked for.
    let code = unsafe { libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), ptr::null_mut()) };
    check(code)
}

/// Ends this process by a signal, without dumping core.
pub(crate) fn die_by(signal: i32) -> ! {
    let none = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    // SAFETY: takes a number. The signal is blocked, and its disposition is the default.
    unsafe { libc::raise(signal) };
    let _ = unblock_signals();
    // It has not ended the process, and the shell's number is the next best.
    exit_now(128 + signal)
}

/// Detaches this process from its terminal, and, if it leads the session, all others.
pub(crate) fn give_up_terminal(terminal: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the request takes no argument.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCNOTTY) })
}

/// Which mounts of a tree are changed besides the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below {
    Included,
    Excluded,
}

/// Adds attributes to the mount of which `tree` is the root.
pub(crate) fn set_mount_attributes(
    tree: &OwnedFd,
    attributes: MountAttrFlags,
    below: Below,
) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH
        | match below {
            Below::Included => libc::AT_RECURSIVE,
            Below::Excluded => 0,
        };
    // The kernel's `struct mount_attr`: attributes to set, to clear, propagation, a user namespace.
    change_mount(tree, flags, [u64::from(attributes.bits()), 0, 0, 0])
}

/// Cuts the mounts of which `tree` is the first off from those that they are copies of: neither sees what is mounted in the other.
pub(crate) fn make_private(tree: &OwnedFd) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    change_mount(tree, flags, [0, 0, libc::MS_PRIVATE, 0])
}

fn change_mount(tree: &OwnedFd, flags: c_int, change: [u64; 4]) -> io::Result<()> {
    // SAFETY: reads an empty string and the array, whose size is passed.
    let code = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            change.as_ptr(),
            size_of_val(&change),
        )
    };
    check(if code == 0 { 0 } else { -1 })
}

/// Starts the loopback interface of this network namespace.
pub(crate) fn start_loopback() -> io::Result<()> {
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // SAFETY: plain numbers and arrays of them, for which zeros are values.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(*b"lo") {
        *to = from.cast_signed();
    }
    // The kernel has set none yet that would be lost.
    request.ifr_ifru.ifru_flags = UP;
    // SAFETY: the request reads a structure of this type.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) })
}

/// Filters the system calls of this process and of its children for good.
pub(crate) fn filter_system_calls(filter: &BpfProgram) -> io::Result<()> {
    seccompiler::apply_filter(filter).map_err(|error| match error {
        seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error,
        _ => io::ErrorKind::InvalidInput.into(),
    })
}

/// Closes all descriptors of this process but two.
pub(crate) fn close_all_but(fds: [RawFd; 2]) {
    super::fork::close_all_but(fds);
}

/// `IFF_UP`, as wide as the kernel has it.
const UP: libc::c_short = 1;

fn check(code: i32) -> io::Result<()> {
    match code {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
