//! Starts a process: `clone(2)` with `CLONE_VM | CLONE_VFORK`, as `posix_spawn(3)` does it.
//!
//! Its cost does not grow with this process, where `fork` copies page tables (21 ms at 1 GiB). It is not
//! `posix_spawn` itself because that cannot set a resource limit: the tag has to be on the child before its program
//! runs, or processes that the program starts immediately escape it whenever the machine is busy.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use rustix::process::Pid;

use super::born::clone_into;
use super::slots::Slots;

/// The group of the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// A process group of its own, in our session.
    Process,
    /// A session (and so a group) of its own, with a terminal only if a descriptor is one.
    Session,
}

/// The parameters of a child.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) program: &'a CStr,
    pub(crate) argv: &'a [CString],
    pub(crate) env: &'a [CString],
    pub(crate) cwd: &'a CStr,
    /// The descriptors, numbered from 0; the child has no others.
    pub(crate) fds: &'a [Source<'a>],
    pub(crate) group: Group,
    /// The soft and hard limit on realtime CPU time. Where they cannot be set the child has ours.
    pub(crate) realtime_limits: (u64, u64),
    /// Whether the child must lose a protection from the out-of-memory killer, which only this process is to have.
    pub(crate) is_exposed: bool,
    /// The control groups that the child is in.
    pub(crate) groups: &'a [Entry],
    /// The soft and hard limit on bytes of a file.
    pub(crate) file_bytes: Option<u64>,
    /// The soft and hard limit on open descriptors.
    pub(crate) open_files: Option<u64>,
}

/// How a child gets into a control group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// The file by which it enters.
    pub(crate) file: RawFd,
    /// The directory of a group of version 2, in which it is created where that is possible.
    pub(crate) directory: Option<RawFd>,
}

/// Where a descriptor of the child comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// A descriptor of this process, which is duplicated.
    Fd(BorrowedFd<'a>),
    /// The child opens the path. All terminals of a child are one, which becomes that of its session.
    Terminal(&'a CStr),
}

/// The reason why there is no child.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// The child could not enter its working directory.
    WorkDir(io::Error),
    /// The child could not enter a control group.
    Group(io::Error),
    /// The child could not limit the size of its files.
    FileSize(io::Error),
    /// The child could not limit its descriptors.
    OpenFiles(io::Error),
    /// The child could not execute its program.
    Program(io::Error),
    /// Any other step failed.
    System(io::Error),
}

/// A child that is being started, as threads other than the one that starts it access it.
#[derive(Debug, Default)]
pub(crate) struct Birth {
    /// The process id, which the kernel writes before the child runs; 0 while there is no child.
    pub(crate) pid: AtomicI32,
    /// Whether the child is to end instead of entering its directory.
    pub(crate) is_abandoned: AtomicBool,
}

/// Starts a program and returns its process id, which `birth` has as well; the caller reaps it.
///
/// The program has an empty signal mask and default dispositions. Returns after the program is executed. On an error
/// the child of `birth`, if there is one, has ended and is still to be reaped.
pub(crate) fn spawn(start: &Start<'_>, birth: &Birth) -> Result<Pid, NotStarted> {
    let sources = Sources::of(start.fds).map_err(NotStarted::System)?;
    let (argv, env) = (pointers(start.argv), pointers(start.env));
    let (soft, hard) = start.realtime_limits;
    let mut plan = Plan {
        program: start.program.as_ptr(),
        argv: argv.as_ptr(),
        env: env.as_ptr(),
        cwd: start.cwd.as_ptr(),
        sources: sources.numbers.as_ptr(),
        terminal: sources.terminal,
        first_free: sources.first_free,
        count: sources.count,
        own_from: sources.slots.as_ref().map(Slots::end),
        group: start.group,
        realtime_limits: [soft, hard],
        is_exposed: start.is_exposed,
        groups: start.groups.as_ptr(),
        group_count: start.groups.len(),
        born_in: None,
        file_bytes: start.file_bytes,
        open_files: start.open_files,
        birth,
        failed: Failed {
            step: Step::System,
            errno: 0,
        },
    };
    let mut groups = start.groups.iter().enumerate();
    let within = groups.find_map(|(index, group)| Some((index, group.directory?)));
    let cloned = cloned(&mut plan, &birth.pid, within);
    drop(sources);
    let pid = cloned.map_err(NotStarted::System)?;
    // SAFETY: plain memory of this thread; read anew, as another process has written it.
    let Failed { step, errno } = unsafe { ptr::read_volatile(&raw const plan.failed) };
    if errno == 0 {
        return Ok(pid);
    }
    let error = io::Error::from_raw_os_error(errno);
    Err(match step {
        Step::WorkDir => NotStarted::WorkDir(error),
        Step::Group => NotStarted::Group(error),
        Step::FileSize => NotStarted::FileSize(error),
        Step::OpenFiles => NotStarted::OpenFiles(error),
        Step::Program => NotStarted::Program(error),
        Step::System => NotStarted::System(error),
    })
}

/// The sources of the child's descriptors, at numbers that its own do not overwrite.
struct Sources {
    /// By the number in the child.
    numbers: Vec<RawFd>,
    count: RawFd,
    /// The first number above those of the child.
    first_free: RawFd,
    /// The path of the terminal, if a source is one.
    terminal: *const c_char,
    /// Where the sources are, or else the duplicates.
    slots: Option<Slots>,
    _duplicates: Vec<OwnedFd>,
}

impl Sources {
    fn of(fds: &[Source<'_>]) -> io::Result<Self> {
        let count = RawFd::try_from(fds.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // dup2 onto 0..n must not overwrite a source that a later dup2 needs.
        let first_free = count.max(3);
        let mut terminal = ptr::null();
        let mut slots = Slots::take(fds.len());
        let mut duplicates = Vec::new();
        let mut numbers = Vec::with_capacity(fds.len());
        for source in fds {
            numbers.push(match (source, &mut slots) {
                (Source::Terminal(path), _) => {
                    terminal = path.as_ptr();
                    TERMINAL
                }
                (Source::Fd(fd), Some(slots)) => slots.put(*fd)?,
                (Source::Fd(fd), None) => {
                    let duplicate = rustix::io::fcntl_dupfd_cloexec(fd, first_free)?;
                    let number = duplicate.as_raw_fd();
                    duplicates.push(duplicate);
                    number
                }
            });
        }
        Ok(Self {
            numbers,
            count,
            first_free,
            terminal,
            slots,
            _duplicates: duplicates,
        })
    }
}

/// Creates the child, and returns when it has executed its program or has ended. `within` is the number and the directory of the
/// group in which it is created, if it can be.
fn cloned(plan: &mut Plan, number: &AtomicI32, within: Option<(usize, RawFd)>) -> io::Result<Pid> {
    let mut stack = vec![MaybeUninit::<Frame>::uninit(); STACK_BYTES / size_of::<Frame>()];
    // A handler of this process must not run in the child, which has its memory.
    let _masked = Masked::new()?;
    // The child makes its own table of descriptors, as its first step.
    let table = plan.own_from.map_or(0, |_| libc::CLONE_FILES);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID | table;
    if let Some((index, directory)) = within {
        plan.born_in = Some(index);
        // SAFETY: as below.
        let created = unsafe {
            let plan = ptr::from_mut(plan).cast();
            clone_into(directory, flags, &mut stack, number, child, plan)
        };
        if let Some(pid) = created.ok().and_then(Pid::from_raw) {
            return Ok(pid);
        }
        // An older kernel has no such call, and a filter may refuse it. If the group is the reason, entering it finds out.
        plan.born_in = None;
    }
    let top = stack.as_mut_ptr_range().end;
    // SAFETY: `child` does only what is allowed in a child that shares this memory, see there. This thread sleeps until
    // the child has executed its program or has ended, so the stack and all that the plan points to outlive its use, and
    // the kernel writes to `number` during this call. The stack grows down on all our platforms, and its top is aligned
    // to 16 bytes.
    let pid = unsafe {
        libc::clone(
            child,
            top.cast(),
            flags | libc::SIGCHLD,
            ptr::from_mut(plan).cast(),
            number.as_ptr(),
            ptr::null_mut::<c_void>(),
            ptr::null_mut::<libc::pid_t>(),
        )
    };
    Pid::from_raw(pid.max(0)).ok_or_else(io::Error::last_os_error)
}

/// The data that the child needs, ready to be used without allocating.
struct Plan {
    program: *const c_char,
    argv: *const *const c_char,
    env: *const *const c_char,
    cwd: *const c_char,
    sources: *const RawFd,
    /// The path of the terminal, if a source is one.
    terminal: *const c_char,
    first_free: RawFd,
    count: RawFd,
    /// If the child has this process's table of descriptors: the number from which on it needs none.
    own_from: Option<RawFd>,
    group: Group,
    realtime_limits: [u64; 2],
    is_exposed: bool,
    groups: *const Entry,
    group_count: usize,
    /// The group that it is in from its beginning.
    born_in: Option<usize>,
    file_bytes: Option<u64>,
    open_files: Option<u64>,
    birth: *const Birth,
    /// The reason why there was no `exec`.
    failed: Failed,
}

#[derive(Clone, Copy)]
struct Failed {
    step: Step,
    /// The error number; 0 for none.
    errno: c_int,
}

#[derive(Clone, Copy)]
enum Step {
    System,
    Group,
    FileSize,
    OpenFiles,
    WorkDir,
    Program,
}

impl Step {
    /// Returns the failure of this step, with `errno`.
    fn failed(self) -> Failed {
        Failed {
            step: self,
            errno: errno(),
        }
    }
}

#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Frame([u8; 16]);

/// Enough for the child, which only makes system calls.
const STACK_BYTES: usize = 64 * 1024;

/// The function of the child. It has this process's memory while the thread that made it sleeps and the others
/// continue: it takes no lock, allocates nothing, cannot panic, and writes to nothing but its stack, the plan's failure
/// and `errno`.
extern "C" fn child(plan: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes its plan, which no other thread accesses meanwhile.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    // SAFETY: the plan's pointers are valid until `exec`.
    plan.failed = unsafe { become_program(plan) };
    // SAFETY: ends this child only, without exit handlers of the process whose memory it has.
    unsafe { libc::_exit(127) }
}

/// Executes the program; returns only with the error of the step that failed.
///
/// # Safety
///
/// To be called in a child made by `spawn`, with its plan.
#[expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one system call after another"
)]
unsafe fn become_program(plan: &Plan) -> Failed {
    // SAFETY: only async-signal-safe calls, with pointers that the caller vouches for and to this very stack.
    unsafe {
        // While it has the parent's descriptors, among which these are; they are not changed. Before it can start a process.
        for index in 0..plan.group_count {
            let group = (*plan.groups.add(index)).file;
            if plan.born_in == Some(index) {
                continue;
            }
            if libc::write(group, c"0".as_ptr().cast(), 1) < 0 {
                return Step::Group.failed();
            }
        }
        // Until then each change to a descriptor would be one to the parent's. Copies only those below.
        if let Some(first) = plan.own_from {
            let (last, flags) = (libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE);
            if libc::syscall(libc::SYS_close_range, first, last, flags) < 0 {
                return Step::System.failed();
            }
        }
        reset_signals();
        let grouped = match plan.group {
            Group::Process => libc::setpgid(0, 0),
            Group::Session => libc::setsid(),
        };
        if grouped < 0 {
            return Step::System.failed();
        }
        set_limits(plan);
        if !set_descriptors(plan) {
            return Step::System.failed();
        }
        // A start that is abandoned later finds the number of this child, and kills it.
        if (*plan.birth).is_abandoned.load(Ordering::SeqCst) {
            return Failed {
                step: Step::System,
                errno: libc::ECANCELED,
            };
        }
        // From here on a file system can block it. It has only its own descriptors by now.
        if libc::chdir(plan.cwd) < 0 {
            return Step::WorkDir.failed();
        }
        // After all that needs a descriptor with a high number.
        if !limit(libc::RLIMIT_FSIZE, plan.file_bytes) {
            return Step::FileSize.failed();
        }
        if !limit(libc::RLIMIT_NOFILE, plan.open_files) {
            return Step::OpenFiles.failed();
        }
        let mut none = MaybeUninit::<libc::sigset_t>::zeroed().assume_init();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::execve(plan.program, plan.argv, plan.env);
        Step::Program.failed()
    }
}

/// Sets the soft and the hard value of a resource limit; returns false if that is not possible, with the reason in `errno`.
///
/// # Safety
///
/// The requirements of [`become_program`].
unsafe fn limit(resource: libc::__rlimit_resource_t, value: Option<u64>) -> bool {
    let Some(value) = value else {
        return true;
    };
    let limits = [value, value];
    // SAFETY: reads the two numbers, and writes nothing.
    let code = unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            0,
            resource,
            limits.as_ptr(),
            ptr::null::<u8>(),
        )
    };
    code == 0
}

/// Gives every signal its default disposition.
///
/// std ignores SIGPIPE in this process, and an ignored signal stays ignored across exec. The dispositions are the
/// child's own. The C library's function refuses its two internal signals, so this is the kernel's: all zeros mean the
/// default. KILL and STOP refuse, as they should.
///
/// # Safety
///
/// The requirements of [`become_program`].
unsafe fn reset_signals() {
    let default = [0_u64; 8];
    for signal in 1..=SIGNALS {
        // SAFETY: reads the array, whose size is that of the kernel's structure or larger, and writes nothing.
        let _ = unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                ptr::null::<u8>(),
                SET_BYTES,
            )
        };
    }
}

/// Sets the label, and drops the privileges by which a daemon survives its commands. What is not possible here is
/// skipped.
///
/// # Safety
///
/// The requirements of [`become_program`].
#[expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one system call after another"
)]
unsafe fn set_limits(plan: &Plan) {
    // SAFETY: only async-signal-safe calls, with pointers into the plan and to constants.
    unsafe {
        let limits = &raw const plan.realtime_limits;
        // It may not be possible here, which the caller finds out.
        let _ = libc::syscall(
            libc::SYS_prlimit64,
            0,
            libc::RLIMIT_RTTIME,
            limits,
            ptr::null::<u8>(),
        );
        // Dropping a privilege cannot fail for lack of it.
        if libc::getpriority(libc::PRIO_PROCESS, 0) < 0 {
            let _ = libc::setpriority(libc::PRIO_PROCESS, 0, 0);
        }
        if plan.is_exposed {
            // A child that shares its parent's memory by vfork has a score of its own.
            let score = libc::open(
                c"/proc/self/oom_score_adj".as_ptr(),
                libc::O_WRONLY | libc::O_CLOEXEC,
            );
            if score >= 0 {
                let _ = libc::write(score, c"0".as_ptr().cast(), 1);
                libc::close(score);
            }
        }
    }
}

/// Puts the descriptors at their numbers, and closes all others; returns false if that is not possible, with the reason
/// in `errno`.
///
/// # Safety
///
/// The requirements of [`become_program`], after the child has become the leader of its session, if it is to be one.
#[expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one system call after another"
)]
unsafe fn set_descriptors(plan: &Plan) -> bool {
    // SAFETY: only async-signal-safe calls, with pointers that the caller vouches for; there are `count` sources.
    unsafe {
        let mut terminal = TERMINAL;
        if !plan.terminal.is_null() {
            // Opened by the leader of a session that has none, it becomes the session's.
            terminal = libc::open(plan.terminal, libc::O_RDWR);
            // It may have the number of a descriptor that is still to be made.
            if terminal >= 0 && terminal < plan.first_free {
                terminal = libc::fcntl(terminal, libc::F_DUPFD, plan.first_free);
            }
            if terminal < 0 {
                return false;
            }
        }
        for target in 0..plan.count {
            let source = match *plan.sources.offset(target as isize) {
                TERMINAL => terminal,
                source => source,
            };
            if libc::dup2(source, target) < 0 {
                return false;
            }
        }
        // A library is not responsible for its host's descriptors. Without the call (before Linux 5.9) our own are
        // close-on-exec, and a daemon marks those it inherited at its start.
        let _ = libc::syscall(libc::SYS_close_range, plan.count, libc::c_uint::MAX, 0);
        true
    }
}

/// The source number that stands for the terminal.
const TERMINAL: RawFd = -1;

/// The highest signal number on all our platforms.
const SIGNALS: c_int = 64;

/// The size of the kernel's signal set.
const SET_BYTES: usize = 8;

/// Returns the error number of the last call; never 0, which would mean that it did not fail.
fn errno() -> c_int {
    io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EINVAL)
}

/// A guard that blocks all signals of this thread until it is dropped.
pub(super) struct Masked(libc::sigset_t);

impl Masked {
    pub(super) fn new() -> io::Result<Self> {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigfillset writes the whole set.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: the first set is written, and there is room for the second.
        check(unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr())
        })?;
        // SAFETY: written by the call above, which succeeded.
        Ok(Self(unsafe { before.assume_init() }))
    }
}

impl Drop for Masked {
    fn drop(&mut self) {
        // SAFETY: the set is initialized.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

/// Returns the strings as a NULL-terminated array; borrowed by the caller for as long as it is used.
pub(super) fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings
        .iter()
        .map(|string| string.as_ptr())
        .chain([ptr::null()])
        .collect()
}

/// Checks a result of the pthread family, which returns the error instead of setting `errno`.
fn check(code: c_int) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}
