//! Starts a process with a copy of this process's memory and no program of its own: `clone(2)` without `CLONE_VM`.
//!
//! It costs what `fork` costs (page tables are copied: 21 ms at 1 GiB), one time in an engine's life. It is not
//! `fork(3)`, whose handlers are the host program's, and whose child a `wait` of the host program would reap.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::{Pid, WaitId, WaitIdOptions};

use super::spawn::Masked;

/// The function that a forked process runs, with its copy of the argument and its two descriptors.
pub(crate) type Work<T> = fn(T, [BorrowedFd<'_>; 2]);

/// Starts a process that does `work` and ends, under the name `name`. Returns its id and a pidfd.
///
/// The process is no child of this process: an intermediate child starts it and ends, so that it becomes a child of
/// process 1 or of the nearest subreaper. If this process is either of them, it becomes a child of this process after
/// all, with SIGCHLD at its end.
///
/// The process leads a session of its own, has every signal blocked, `/` as its working directory, and the memory of
/// this process only as far as it needs it. What other threads had locked stays locked in it for ever: `work` must take
/// no lock, allocate nothing and not panic.
pub(crate) fn fork<T: Copy>(
    name: &'static std::ffi::CStr,
    work: Work<T>,
    argument: T,
    fds: [BorrowedFd<'_>; 2],
) -> io::Result<(Pid, OwnedFd)> {
    let frames = STACK_BYTES / size_of::<Frame>();
    let mut stacks = vec![MaybeUninit::<Frame>::uninit(); 2 * frames];
    let (lower, upper) = stacks.split_at_mut(frames);
    let mut plan = Plan {
        name,
        work,
        argument,
        fds: fds.map(|fd| fd.as_raw_fd()),
        stack: lower.as_mut_ptr_range().end.cast(),
        pid: 0,
        pidfd: -1,
        errno: 0,
    };
    let masked = Masked::new()?;
    // SAFETY: the child shares all memory and all descriptors with this thread, which waits until it has ended;
    // `intermediate` does only what is allowed there. The stack grows down on all our platforms, and its top is aligned
    // to 16 bytes.
    let child = unsafe {
        libc::clone(
            intermediate::<T>,
            upper.as_mut_ptr_range().end.cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES,
            (&raw mut plan).cast(),
        )
    };
    let started = Pid::from_raw(child.max(0)).ok_or_else(io::Error::last_os_error);
    drop(masked);
    let options = WaitIdOptions::EXITED | WaitIdOptions::from_bits_retain(WAIT_FOR_FORKED);
    let child = WaitId::Pid(started?);
    while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(child.clone(), options) {}
    let pid =
        Pid::from_raw(plan.pid.max(0)).ok_or_else(|| io::Error::from_raw_os_error(plan.errno))?;
    // SAFETY: the system has put a descriptor there, which has no other owner.
    Ok((pid, unsafe { OwnedFd::from_raw_fd(plan.pidfd) }))
}

/// Runs in the memory of the waiting process, with its table of descriptors.
#[expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one argument holds for all of it"
)]
extern "C" fn intermediate<T: Copy>(plan: *mut c_void) -> c_int {
    let plan = plan.cast::<Plan<T>>();
    // SAFETY: `fork` passes its plan and does not touch it meanwhile. The new process gets a copy of all memory, so the
    // stack and the plan that it sees are its own; `child` does only what is allowed in the copy of one thread of many.
    // It is reparented to a process that waits for SIGCHLD, which the system then sets by itself.
    unsafe {
        (*plan).pid = libc::clone(
            child::<T>,
            (*plan).stack,
            libc::CLONE_PIDFD,
            plan.cast(),
            &raw mut (*plan).pidfd,
        );
        if (*plan).pid < 0 {
            (*plan).errno = *libc::__errno_location();
        }
        libc::_exit(0)
    }
}

/// An option of `waitid(2)`: children that send no SIGCHLD are waited for as well.
const WAIT_FOR_FORKED: u32 = libc::__WALL.cast_unsigned();

struct Plan<T> {
    name: &'static std::ffi::CStr,
    work: Work<T>,
    argument: T,
    fds: [RawFd; 2],
    /// The top of the new process's stack.
    stack: *mut c_void,
    /// The id of the new process; 0 or less if there is none.
    pid: c_int,
    pidfd: RawFd,
    errno: c_int,
}

#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Frame([u8; 16]);

const STACK_BYTES: usize = 128 * 1024;

extern "C" fn child<T: Copy>(plan: *mut c_void) -> c_int {
    // SAFETY: `fork` passes its plan, of which this is a copy. It is copied again, since its page is about to be
    // released.
    let Plan {
        name,
        work,
        argument,
        fds,
        ..
    } = unsafe { std::ptr::read(plan.cast::<Plan<T>>()) };
    // SAFETY: a plain system call, which changes nothing but this very process.
    unsafe { libc::setsid() };
    // SAFETY: as above; the path is a literal.
    unsafe { libc::chdir(c"/".as_ptr()) };
    // SAFETY: as above; the name outlives the call.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    close_all_but(fds);
    release_memory();
    // SAFETY: they were open in the parent during the call of `clone`, and so are open here.
    work(
        argument,
        fds.map(|fd| unsafe { BorrowedFd::borrow_raw(fd) }),
    );
    // SAFETY: ends this process, without exit handlers of the process that it is a copy of.
    unsafe { libc::_exit(0) }
}

pub(super) fn close_all_but(fds: [RawFd; 2]) {
    let [low, high] = [fds[0].min(fds[1]), fds[0].max(fds[1])].map(i32::cast_unsigned);
    for (first, last) in [
        (0, low.wrapping_sub(1)),
        (low + 1, high.wrapping_sub(1)),
        (high + 1, u32::MAX),
    ] {
        if first > last || last == u32::MAX && first == 0 {
            continue;
        }
        // SAFETY: nothing in this process uses these descriptors: they are copies of another one's.
        if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } < 0 {
            // For Linux before 5.9; more descriptors are not expected there.
            for fd in first..=last.min(4096) {
                // SAFETY: as above.
                unsafe { libc::close(fd.cast_signed()) };
            }
        }
    }
}

/// Releases the copy of the parent's heap: otherwise each page that the parent writes to would exist twice.
///
/// Small ranges stay, among them those of libraries, and so does what is near the stack, and near the thread's own
/// variables (`errno`).
fn release_memory() {
    let here = 0_u8;
    // SAFETY: returns the address of a variable of this thread.
    let errno = unsafe { libc::__errno_location() }.addr();
    let mut used = [(&raw const here).addr(), errno];
    used.sort_unstable();
    // SAFETY: opens a file; the string ends with a NUL.
    let maps = unsafe { libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY) };
    if maps < 0 {
        return;
    }
    let mut buffer = [0_u8; 4096];
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        // SAFETY: reads into `room`, at most its length.
        let count = unsafe { libc::read(maps, room.as_mut_ptr().cast(), room.len()) };
        let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else {
            break;
        };
        filled += count;
        let mut lines = buffer.get(..filled).unwrap_or_default();
        while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = lines.split_at(end);
            if let Some((begin, end)) = heap(line) {
                release(begin, end, used);
            }
            lines = rest.get(1..).unwrap_or_default();
        }
        let left = lines.len();
        buffer.copy_within(filled - left..filled, 0);
        filled = left;
    }
    // SAFETY: opened above.
    unsafe { libc::close(maps) };
}

/// Releases a range except what is near one of two addresses, which are in order.
fn release(begin: usize, end: usize, used: [usize; 2]) {
    let mut from = begin;
    for address in used {
        let near = (address & !(NEAR - 1)).saturating_sub(NEAR);
        if (from..end).contains(&address) && near > from {
            release_all(from, near);
        }
        if (begin..end).contains(&address) {
            from = from.max(near + 3 * NEAR);
        }
    }
    if from < end {
        release_all(from, end);
    }
}

fn release_all(begin: usize, end: usize) {
    // SAFETY: private memory without a file, in which nothing lies that is used from here on: the heap of the process
    // that this one is a copy of.
    unsafe {
        let begin = std::ptr::with_exposed_provenance_mut(begin);
        libc::madvise(begin, end - begin.addr(), libc::MADV_DONTNEED)
    };
}

/// Returns the range of a line of `/proc/PID/maps` if it is large, private, writable and has no file.
fn heap(line: &[u8]) -> Option<(usize, usize)> {
    let mut words = line
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let (range, rights, _offset, _device, inode) = (
        words.next()?,
        words.next()?,
        words.next()?,
        words.next()?,
        words.next()?,
    );
    let dash = range.iter().position(|byte| *byte == b'-')?;
    let (begin, end) = (hex(range.get(..dash)?)?, hex(range.get(dash + 1..)?)?);
    let is_heap = rights == b"rw-p" && inode == b"0" && end.checked_sub(begin)? >= LARGE;
    is_heap.then_some((begin, end))
}

fn hex(digits: &[u8]) -> Option<usize> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    digits
        .iter()
        .try_fold(0_usize, |sum, byte| Some(sum << 4 | digit(*byte)? as usize))
}

/// The size of the area near an address; the child's stack and a thread's own variables are smaller.
const NEAR: usize = 256 * 1024;

const LARGE: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn ranges_are_read() {
        let heap = |line: &str| heap(line.as_bytes());
        let large = "7f0000000000-7f0000200000 rw-p 00000000 00:00 0 ";
        assert_eq!(heap(large), Some((0x7f00_0000_0000, 0x7f00_0020_0000)));
        assert!(heap("55d0c0000000-55d0c0200000 rw-p 00000000 00:00 0          [heap]").is_some());
        for other in [
            "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 ",
            "7f0000000000-7f0000200000 r--p 00000000 00:00 0 ",
            "7f0000000000-7f0000200000 rw-s 00000000 00:05 0 ",
            "7f0000000000-7f0000200000 rw-p 00000000 fe:00 77 /lib/x",
            "",
            "x",
        ] {
            assert_eq!(heap(other), None, "{other}");
        }
    }

    /// The process has its argument, two descriptors and no more, and little memory; is no child of this process; and
    /// ends.
    #[test]
    fn a_forked_process_works_with_what_it_is_given() {
        fn work(word: [u8; 5], [output, until]: [BorrowedFd<'_>; 2]) {
            let _ = rustix::io::write(output, &word);
            let _ = rustix::io::read(until, &mut [0_u8; 1]);
        }
        let heap = vec![1_u8; 64 << 20];
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (until, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (pid, pidfd) =
            fork(c"forked", work, *b"hello", [write.as_fd(), until.as_fd()]).unwrap();
        drop((write, until));
        let mut word = [0; 8];
        assert_eq!(rustix::io::read(&read, &mut word).unwrap(), 5);
        assert_eq!(&word[..5], b"hello");
        let proc = |name: &str| format!("/proc/{}/{name}", pid.as_raw_nonzero());
        assert_eq!(std::fs::read_dir(proc("fd")).unwrap().count(), 2);
        let status = std::fs::read_to_string(proc("status")).unwrap();
        let field = |name: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            line.split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(field("Name:"), "forked");
        assert_ne!(field("PPid:"), std::process::id().to_string());
        let kilobytes: usize = field("RssAnon:").parse().unwrap();
        assert!(
            kilobytes < 32 << 10,
            "{kilobytes} kB of {}",
            heap.len() >> 10
        );
        drop(go);
        poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None).unwrap();
    }
}
