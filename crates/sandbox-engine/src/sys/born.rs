//! Creates a child in a control group: `clone3(2)` with `CLONE_INTO_CGROUP`, for which the C library has no function.

use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::sync::atomic::AtomicI32;

/// The arguments of the system call.
#[repr(C)]
struct Arguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_bytes: u64,
    tls: u64,
    set_tid: u64,
    set_tid_count: u64,
    group: u64,
}

/// Creates a child with these flags of `clone(2)` in the control group of version 2 with this directory, and returns its process id,
/// which the kernel writes to `number` before the child runs. SIGCHLD is sent at its end.
///
/// It calls `function`, which must not return, on the stack.
///
/// # Safety
///
/// The requirements of `clone(2)` with these flags, of which `CLONE_VM` is one; the end of the stack must be aligned to 16 bytes.
pub(super) unsafe fn clone_into<T>(
    group: RawFd,
    flags: c_int,
    stack: &mut [MaybeUninit<T>],
    number: &AtomicI32,
    function: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> io::Result<c_int> {
    let arguments = Arguments {
        flags: u64::from(flags.cast_unsigned()) | CLONE_INTO_CGROUP,
        pidfd: 0,
        child_tid: 0,
        parent_tid: number.as_ptr().expose_provenance() as u64,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        stack: stack.as_mut_ptr().expose_provenance() as u64,
        stack_bytes: size_of_val(stack) as u64,
        tls: 0,
        set_tid: 0,
        set_tid_count: 0,
        group: u64::from(group.cast_unsigned()),
    };
    // SAFETY: the arguments are those of the system call, and the caller vouches for the child.
    let result = unsafe { call(&arguments, function, argument) };
    match c_int::try_from(result) {
        Ok(pid) if pid > 0 => Ok(pid),
        Ok(error) => Err(io::Error::from_raw_os_error(-error)),
        Err(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Makes the system call; the child does not return from here.
///
/// # Safety
///
/// The requirements of [`clone_into`].
#[cfg(target_arch = "x86_64")]
unsafe fn call(
    arguments: &Arguments,
    function: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> c_long {
    let result: c_long;
    // SAFETY: in the child, which begins with an aligned stack, the function is called and does not return; its caller has no frame.
    // In this process the call changes what is listed.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") arguments,
            in("rsi") size_of::<Arguments>(),
            in("r12") argument,
            in("r13") function,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// Returns that there is no such call: it is written for one kind of processor so far. The child then enters its group.
///
/// # Safety
///
/// None.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn call(_: &Arguments, _: extern "C" fn(*mut c_void) -> c_int, _: *mut c_void) -> c_long {
    -c_long::from(libc::ENOSYS)
}

/// Since Linux 5.7.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
