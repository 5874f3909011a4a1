//! The system calls that an isolated process may not make.
//!
//! A list of what is refused, not of what is allowed: programs are arbitrary, and the namespaces hold without it. It removes
//! parts of the kernel that ordinary programs do not use and in which most escapes were found.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, sock_filter,
};

use super::Network;

/// Returns the filters, all of which apply: a call is made if none of them refuses it. The first is by far the longest, and refuses
/// nothing that making a view needs.
///
/// # Errors
///
/// Returns [`io::ErrorKind::Unsupported`] on a machine without a known numbering of system calls.
pub(super) fn filters() -> io::Result<Vec<BpfProgram>> {
    // `openat2` has a mode in memory, where a filter does not see it.
    with_absent(&[libc::SYS_clone3, libc::SYS_openat2])
}

/// Returns the filters of a program that outlives the engine, which may call `openat2`: the daemon inside confines paths by it.
///
/// So a setuid file can be created. Nothing runs it with other rights: inside, no mount heeds the bit, and outside, only the
/// owner of the directory that is bound reaches it.
///
/// # Errors
///
/// Returns the errors of [`filters`].
pub(super) fn lasting_filters() -> io::Result<Vec<BpfProgram>> {
    with_absent(&[libc::SYS_clone3])
}

/// Returns the filters of a process without namespaces, with the network of the machine or with none: no call names a process,
/// queue or socket of others, or changes what a file is besides its content, which Landlock does not restrict.
///
/// # Errors
///
/// Returns the errors of [`filters`].
pub(super) fn landlock_filters(network: Network) -> io::Result<Vec<BpfProgram>> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(unsupported)?;
    let mut filters = filters()?;
    let rules = shared(network).map_err(unsupported)?;
    filters.push(compiled(rules, libc::EPERM, arch)?);
    Ok(filters)
}

/// Returns the rules for calls that reach what a namespace would separate, and Landlock does not.
fn shared(network: Network) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = SHARED.iter().map(|call| (*call, Vec::new())).collect();
    rules.extend(metadata()?);
    for (call, argument) in OF_PROCESSES {
        let other = condition(argument, Length::Dword, Is::Ne, 0)?;
        rules.insert(call, vec![rule([other])?]);
    }
    // Where it names a user, 0 is the caller's: with all processes of that user.
    for (call, of_user) in OF_USERS {
        let user = condition(0, Length::Dword, Is::Eq, of_user)?;
        rules.entry(call).or_default().push(rule([user])?);
    }
    let sockets = match network {
        // Without a loopback interface of its own: any socket would be the machine's.
        Network::None | Network::User => Vec::new(),
        // A connection by path needs no right that Landlock knows, and leads to whatever listens there.
        Network::Host => {
            let unix = u64::from(libc::AF_UNIX.unsigned_abs());
            vec![rule([condition(0, Length::Dword, Is::Eq, unix)?])?]
        }
    };
    rules.insert(libc::SYS_socket, sockets);
    Ok(rules)
}

/// Returns the rules for calls that change the mode, owner, times and attributes of a file. Landlock knows no right for them, and
/// a program may call them for every file of its user, also by a descriptor for reading.
fn metadata() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = METADATA.iter().map(|call| (*call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend(METADATA_X86_64.iter().map(|call| (*call, Vec::new())));
    // The times of an open file may become the current ones, as `touch` does for a file that it has created.
    let by_path = condition(1, Length::Qword, Is::Ne, 0)?;
    let to_others = condition(2, Length::Qword, Is::Ne, 0)?;
    rules.insert(
        libc::SYS_utimensat,
        vec![rule([by_path])?, rule([to_others])?],
    );
    let flags = FLAGS
        .iter()
        .map(|request| rule([condition(1, Length::Dword, Is::Eq, *request)?]));
    rules.insert(libc::SYS_ioctl, flags.collect::<Result<_, _>>()?);
    Ok(rules)
}

fn with_absent(absent: &[i64]) -> io::Result<Vec<BpfProgram>> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(unsupported)?;
    let refused = compiled(refused().map_err(unsupported)?, libc::EPERM, arch)?;
    let mounts = MOUNTS.iter().map(|call| (*call, Vec::new())).collect();
    let mounts = compiled(mounts, libc::EPERM, arch)?;
    // The flags of `clone3` are in memory, where a filter does not see them. The C library then uses `clone`.
    let absent = absent.iter().map(|call| (*call, Vec::new())).collect();
    let absent = compiled(absent, libc::ENOSYS, arch)?;
    let mut filters = vec![refused, mounts, absent];
    // The x32 calls have other numbers, which the first filter does not know.
    if arch == TargetArch::x86_64 {
        filters.push(no_x32());
    }
    Ok(filters)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn compiled(rules: Rules, errno: i32, arch: TargetArch) -> io::Result<BpfProgram> {
    let refusal = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, arch);
    filter.and_then(BpfProgram::try_from).map_err(unsupported)
}

fn unsupported(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, error)
}

fn refused() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend(REFUSED_X86_64.iter().map(|call| (*call, Vec::new())));
    // New namespaces, in which the process would have capabilities again.
    let flags = NAMESPACES.iter().map(|flag| {
        let flag = u64::from(flag.unsigned_abs());
        rule([condition(0, Length::Qword, Is::MaskedEq(flag), flag)?])
    });
    rules.insert(libc::SYS_clone, flags.collect::<Result<_, _>>()?);
    // Input for the terminal of another process. The kernel ignores the upper half of the argument.
    let typing = TYPING
        .iter()
        .map(|request| rule([condition(1, Length::Dword, Is::Eq, *request)?]));
    rules.insert(libc::SYS_ioctl, typing.collect::<Result<_, _>>()?);
    let others = FAMILIES.iter().map(|family| {
        let family = u64::from(family.unsigned_abs());
        condition(0, Length::Dword, Is::Ne, family)
    });
    let others = others.collect::<Result<Vec<_>, _>>()?;
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        rules.insert(call, vec![SeccompRule::new(others.clone())?]);
    }
    for (calls, argument) in MODES {
        let bits = SPECIAL.iter().map(|bit| {
            rule([condition(
                argument,
                Length::Dword,
                Is::MaskedEq(*bit),
                *bit,
            )?])
        });
        let bits = bits.collect::<Result<Vec<_>, _>>()?;
        rules.extend(calls.iter().map(|call| (*call, bits.clone())));
    }
    // The mode is read only if the flags say that a file is created.
    for &(call, flags) in OPENS {
        let mut bits = Vec::new();
        for created in [libc::O_CREAT, libc::O_TMPFILE & !libc::O_DIRECTORY] {
            let created = u64::from(created.unsigned_abs());
            for bit in SPECIAL {
                bits.push(rule([
                    condition(flags, Length::Dword, Is::MaskedEq(created), created)?,
                    condition(flags + 1, Length::Dword, Is::MaskedEq(bit), bit)?,
                ])?);
            }
        }
        rules.insert(call, bits);
    }
    Ok(rules)
}

fn rule(
    conditions: impl Into<Vec<SeccompCondition>>,
) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(conditions.into())
}

fn condition(
    argument: u8,
    length: Length,
    is: Is,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, length, is, value)
}

/// Returns a filter for 64-bit x86, in the kernel's own terms: loads the number of the call, and refuses it with `ENOSYS` from
/// the first number of x32 on.
fn no_x32() -> BpfProgram {
    let instruction = |code: u32, skip_if_false: u8, k: u32| sock_filter {
        code: u16::try_from(code).expect("every code has 16 bits"),
        jt: 0,
        jf: skip_if_false,
        k,
    };
    vec![
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 1, X32),
        instruction(
            libc::BPF_RET | libc::BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs(),
        ),
        instruction(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

/// The bit of all x32 numbers.
const X32: u32 = 0x4000_0000;

const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// The families of sockets that programs use. Others have had more faults than users, and `AF_VSOCK` reaches the host of a
/// virtual machine, whatever the network namespace.
const FAMILIES: [i32; 4] = [
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];

/// Calls on objects that all processes of a machine or user share. Their numbers are small and can be guessed, so that those which
/// open an object are not the only ones.
const SHARED: [i64; 16] = [
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_process_madvise,
];

/// Calls that change a process, and the number of the argument that names it; 0 is the caller.
const OF_PROCESSES: [(i64, u8); 7] = [
    (libc::SYS_prlimit64, 0),
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_sched_setattr, 0),
];

/// Those of them that can name a user, and the first argument that says so: `PRIO_USER` and `IOPRIO_WHO_USER`.
const OF_USERS: [(i64, u64); 2] = [(libc::SYS_setpriority, 2), (libc::SYS_ioprio_set, 3)];

/// Calls that change what a file is, whatever its content.
const METADATA: [i64; 14] = [
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // `setxattrat`, `removexattrat` and `file_setattr`, which the C library does not name yet.
    463,
    466,
    469,
];

#[cfg(target_arch = "x86_64")]
const METADATA_X86_64: [i64; 6] = [
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];

/// `FS_IOC_SETFLAGS`, `FS_IOC32_SETFLAGS`, `FS_IOC_SETVERSION`, `FS_IOC32_SETVERSION`, `FS_IOC_FSSETXATTR`, `FS_IOC_SETFSLABEL`,
/// `FS_IOC_SET_ENCRYPTION_POLICY` and `FS_IOC_ENABLE_VERITY`.
const FLAGS: [u64; 8] = [
    0x4008_6602,
    0x4004_6602,
    0x4008_7602,
    0x4004_7602,
    0x401c_5820,
    0x4100_9432,
    0x800c_6613,
    0x4080_6685,
];

/// Set-user-ID and set-group-ID. A file with one of these in a writable directory of the machine would give its owner's rights to
/// whoever executes it outside.
const SPECIAL: [u64; 2] = [0o4000, 0o2000];

/// Calls by which files get modes, and the number of the argument that is the mode.
const MODES: [(&[i64], u8); 3] = [
    #[cfg(target_arch = "x86_64")]
    (&[libc::SYS_chmod, libc::SYS_creat, libc::SYS_mknod], 1),
    #[cfg(not(target_arch = "x86_64"))]
    (&[], 1),
    (&[libc::SYS_fchmod], 1),
    (&[libc::SYS_fchmodat, FCHMODAT2, libc::SYS_mknodat], 2),
];

/// Calls that may create files, and the number of the argument that is the flags; the next one is the mode.
const OPENS: &[(i64, u8)] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 1),
    (libc::SYS_openat, 2),
];

/// `fchmodat2`, which the C library does not name everywhere; its number is the same on all machines.
const FCHMODAT2: i64 = 452;

/// `TIOCSTI` and `TIOCLINUX`.
const TYPING: [u64; 2] = [0x5412, 0x541c];

/// Calls on mounts and namespaces, which process 1 makes itself until the view is complete.
const MOUNTS: [i64; 13] = [
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
];

const REFUSED: [i64; 34] = [
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Keys, which have no namespace.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Parts of the kernel that run programs or handle faults of a process.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // The machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // Files by other means than their paths.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_X86_64: [i64; 3] = [libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_fit_the_kernel() {
        let networks =
            [Network::None, Network::Host].map(|network| landlock_filters(network).unwrap());
        for filters in networks.into_iter().chain([filters().unwrap()]) {
            assert!(filters.len() >= 2);
            for filter in filters {
                assert!((4..4096).contains(&filter.len()), "{}", filter.len());
            }
        }
    }
}
