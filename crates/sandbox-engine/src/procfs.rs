//! Information about other processes from `/proc`.

use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;
use std::time::Duration;
use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

/// Reads a file of `/proc` or of a control group, of which the kernel reports no size.
///
/// `std::fs::read` begins with 32 bytes where the size is 0, and doubles them: eight calls where one returns all.
pub(crate) fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::with_capacity(4096);
    loop {
        match rustix::io::read(&file, spare_capacity(&mut bytes)) {
            Ok(0) => return Ok(bytes),
            Ok(_) => bytes.reserve(1),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads such a file whose content is text.
pub(crate) fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The required fields of a line of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: u32,
    /// A letter: `R`unning, `S`leeping, `D`isk sleep, s`T`opped, `Z`ombie, `X` for dead, and others.
    pub(crate) state: u8,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    /// Whether it has executed no program since it was forked.
    pub(crate) is_forked: bool,
    /// The CPU time used, in user and kernel mode, in clock ticks.
    pub(crate) ran: u64,
    /// The start time, in clock ticks since boot: distinguishes the process from a later one with the same number.
    pub(crate) start: u64,
}

impl Stat {
    /// Returns the state of `pid`, unless it has been reaped.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        // The line is shorter: half as many system calls as `std::fs::read`, in walks through all processes.
        let mut line = [0; 1024];
        let mut file = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?;
        let count = file.read(&mut line).ok()?;
        parse_stat(pid, &line[..count])
    }

    /// Returns whether the process has not ended; a zombie has.
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.state, b'Z' | b'X')
    }
}

/// Returns how long the main thread of `pid` has waited for a processor while it was ready to run. `None` if it has been reaped, or the
/// kernel does not count that.
pub(crate) fn processor_wait(pid: u32) -> Option<Duration> {
    parse_processor_wait(&read_to_string(format!("/proc/{pid}/schedstat")).ok()?)
}

/// The flag `PF_FORKNOEXEC` of a process. `execve(2)` clears it.
const FORKED: u64 = 0x40;

/// The processor time of a process and of all processes that it has waited for, in clock ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) user: u64,
    pub(crate) system: u64,
}

impl Spent {
    /// Returns that of `pid` so far, unless it has been reaped.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        parse_spent(&read(format!("/proc/{pid}/stat")).ok()?)
    }
}

/// Returns the largest resident memory that the program of `pid` has had so far, in bytes.
pub(crate) fn peak_rss(pid: u32) -> Option<u64> {
    parse_peak_rss(&read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// The signals that a process has not received yet, and those that do not have their default effect on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signals {
    pending: u64,
    ignored: u64,
    caught: u64,
}

impl Signals {
    /// Returns those of `pid`, unless it has been reaped.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        parse_signals(&read(format!("/proc/{pid}/status")).ok()?)
    }

    pub(crate) fn has_pending(self, signal: Signal) -> bool {
        has(self.pending, signal)
    }

    /// Returns whether the process ignores the signal or has a handler for it.
    pub(crate) fn has_own_effect(self, signal: Signal) -> bool {
        has(self.ignored | self.caught, signal)
    }
}

fn has(set: u64, signal: Signal) -> bool {
    u32::try_from(signal.as_raw() - 1).is_ok_and(|bit| set.checked_shr(bit).unwrap_or(0) & 1 == 1)
}

/// The identity of the program that a process executes, which differs from the one that it executed before.
///
/// Nothing of it is read from the memory of the process. Reading its arguments (`cmdline`) or environment waits for the lock
/// of that memory, which the process can hold: in `mmap(2)` of a file whose file system does not respond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    name: Vec<u8>,
    /// The beginning of its stack, and the bounds of its arguments and environment, randomized at each `execve(2)`. `None` where
    /// the system does not report them, or not to this process.
    place: Option<[u64; PLACES]>,
}

const PLACES: usize = 5;

impl Program {
    /// Returns the program of `pid`, unless it has been reaped.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        parse_program(&read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Returns whether it is certainly another program. The name counts only as a fallback: a process can change it.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        match self.place.zip(other.place) {
            Some((place, other)) => place != other,
            None => self.name != other.name,
        }
    }
}

/// Returns the ids of all visible processes, including zombies.
pub(crate) fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Returns the children of a process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    // Without a walk, where the kernel has the list.
    match read_to_string(format!("/proc/{pid}/task/{pid}/children")) {
        Ok(list) => {
            let list = list.split_ascii_whitespace();
            list.filter_map(|child| child.parse().ok()).collect()
        }
        Err(_) => {
            let is_child = |of: &u32| Stat::of(*of).is_some_and(|stat| stat.parent == pid);
            pids().filter(is_child).collect()
        }
    }
}

/// Returns the id that a process has in the innermost of its process namespaces.
pub(crate) fn innermost_id(pid: u32) -> Option<u32> {
    let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ids = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?;
    ids.split_ascii_whitespace().next_back()?.parse().ok()
}

/// Returns the most recently assigned id of a process or thread. `None` if the system does not report it.
pub(crate) fn last_pid() -> Option<u32> {
    // Held open: most of the cost of a small file is opening it.
    static LOADAVG: LazyLock<Option<std::fs::File>> =
        LazyLock::new(|| std::fs::File::open("/proc/loadavg").ok());
    let mut line = [0; 128];
    let count = LOADAVG.as_ref()?.read_at(&mut line, 0).ok()?;
    let line = std::str::from_utf8(&line[..count]).ok()?;
    line.split_ascii_whitespace().nth(4)?.parse().ok()
}

/// Returns the soft limit on realtime CPU time of `pid`, in microseconds, for processes that `prlimit(2)` may not inspect:
/// those of other users.
pub(crate) fn realtime_limit(pid: u32) -> Option<u64> {
    // One call reads all of it; to find its end would take ten, for each process of another user.
    let mut limits = [0; 4096];
    let file = std::fs::File::open(format!("/proc/{pid}/limits")).ok()?;
    let count = file.read_at(&mut limits, 0).ok()?;
    parse_realtime_limit(std::str::from_utf8(&limits[..count]).ok()?)
}

/// Returns the path of the file that this process has mapped at `address`, as the kernel writes it: with a note if the
/// file has been removed. `None` for memory that is no file's.
pub(crate) fn file_at(address: usize) -> Option<PathBuf> {
    mapped_at(&read("/proc/self/maps").ok()?, address)
}

/// Converts the number to the kernel's type.
pub(crate) fn process_id(pid: u32) -> io::Result<Pid> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

pub(crate) fn parse_realtime_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max realtime timeout "))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Parses lines of proc_pid_maps(5): `from-to permissions offset device inode path`.
pub(crate) fn mapped_at(maps: &[u8], address: usize) -> Option<PathBuf> {
    maps.split(|byte| *byte == b'\n').find_map(|line| {
        let start = line.iter().position(|byte| *byte == b'/')?;
        let (fields, path) = line.split_at(start);
        let (from, to) = str::from_utf8(fields)
            .ok()?
            .split_once(' ')?
            .0
            .split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        (number(from)?..number(to)?)
            .contains(&address)
            .then(|| OsStr::from_bytes(path).into())
    })
}

/// Parses a line of proc_pid_stat(5). The second field is the program's name in parentheses, which may itself contain
/// blanks and parentheses, so fields are counted from the last one.
pub(crate) fn parse_stat(pid: u32, line: &[u8]) -> Option<Stat> {
    let after_name = line.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(&line[after_name..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let time = |field: &str| field.parse::<u64>().ok();
    Some(Stat {
        pid,
        state: *fields.next()?.as_bytes().first()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
        session: fields.next()?.parse().ok()?,
        // flags is field 9 of the line, and four were taken after the second; utime and stime are fields 14 and 15, and
        // starttime is field 22.
        is_forked: fields.nth(2)?.parse::<u64>().ok()? & FORKED != 0,
        ran: time(fields.nth(4)?)?.checked_add(time(fields.next()?)?)?,
        start: fields.nth(6)?.parse().ok()?,
    })
}

/// Parses the second number of `/proc/PID/schedstat`: nanoseconds on a run queue.
fn parse_processor_wait(line: &str) -> Option<Duration> {
    let waited = line.split(' ').nth(1)?;
    waited.parse().ok().map(Duration::from_nanos)
}

/// Parses a line of proc_pid_stat(5): `utime`, `stime`, `cutime` and `cstime` are fields 14 to 17.
pub(crate) fn parse_spent(line: &[u8]) -> Option<Spent> {
    let after_name = line.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(&line[after_name..]).ok()?;
    let mut times = rest.split_ascii_whitespace().skip(11);
    let mut next = || times.next()?.parse::<u64>().ok();
    let (user, system, of_user, of_system) = (next()?, next()?, next()?, next()?);
    Some(Spent {
        user: user.checked_add(of_user)?,
        system: system.checked_add(of_system)?,
    })
}

/// Parses `VmHWM` of proc_pid_status(5), in kB. A process that has no memory has none.
pub(crate) fn parse_peak_rss(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Parses the masks of proc_pid_status(5). The name, in the first line, has its line ends escaped.
pub(crate) fn parse_signals(status: &[u8]) -> Option<Signals> {
    let status = String::from_utf8_lossy(status);
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    Some(Signals {
        // Those of the process, and those of its first thread.
        pending: mask("ShdPnd:")? | mask("SigPnd:")?,
        ignored: mask("SigIgn:")?,
        caught: mask("SigCgt:")?,
    })
}

/// Parses the same line: `startstack` is field 28, and fields 48 to 51 are the bounds of arguments and environment.
pub(crate) fn parse_program(line: &[u8]) -> Option<Program> {
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let name_start = line.iter().position(|byte| *byte == b'(')? + 1;
    let rest = std::str::from_utf8(&line[name_end + 1..]).ok()?;
    let fields: Vec<_> = rest.split_ascii_whitespace().collect();
    // From the third field on.
    let place = [28, 48, 49, 50, 51].map(|field| fields.get(field - 3)?.parse().ok());
    let [Some(a), Some(b), Some(c), Some(d), Some(e)] = place else {
        return None;
    };
    Some(Program {
        name: line.get(name_start..name_end)?.to_vec(),
        // All zeros for a process that this one may not inspect.
        place: Some([a, b, c, d, e]).filter(|place| *place != [0; PLACES]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stat_line_with_a_hostile_name() {
        let line = b"7 (a) R 1 (b)) S 3 4 5 0 -1 4194624 1 2 3 4 5 6 7 8 20 0 1 0 9988 1 2";
        let stat = parse_stat(7, line).unwrap();
        assert_eq!(
            (stat.state, stat.parent, stat.group, stat.session),
            (b'S', 3, 4, 5)
        );
        assert_eq!((stat.ran, stat.start), (5 + 6, 9988));
        assert!(stat.is_forked);
        assert!(parse_stat(7, b"7 (x) S 1").is_none());
        assert!(parse_stat(7, b"").is_none());
        let spent = parse_spent(line).unwrap();
        assert_eq!((spent.user, spent.system), (5 + 7, 6 + 8));
        assert_eq!(parse_spent(b"7 (x) S 1"), None);
    }

    #[test]
    fn reads_the_peak_of_memory() {
        let status = "Name:\tVmHWM:\\n\nVmPeak:\t    9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 8 kB\n";
        assert_eq!(parse_peak_rss(status), Some(2 << 20));
        assert_eq!(parse_peak_rss("VmHWM:\t18446744073709551615 kB\n"), None);
        assert_eq!(parse_peak_rss("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn reads_masks_of_signals() {
        let status = b"Name:\tSigIgn:\\n\xff\nSigQ:\t8/9\nSigPnd:\t0000000000000100\n\
                       ShdPnd:\t0000000000004000\nSigBlk:\t0000000000000001\n\
                       SigIgn:\t0000000000000004\nSigCgt:\t8000000000000002\n";
        let signals = parse_signals(status).unwrap();
        let of = |test: fn(Signals, Signal) -> bool| {
            let all = [
                Signal::HUP,
                Signal::INT,
                Signal::QUIT,
                Signal::KILL,
                Signal::TERM,
            ];
            all.map(|signal| test(signals, signal))
        };
        assert_eq!(of(Signals::has_pending), [false, false, false, true, true]);
        assert_eq!(
            of(Signals::has_own_effect),
            [false, true, true, false, false]
        );
        assert_eq!(parse_signals(b"SigIgn:\t4\nSigCgt:\tx\n"), None);
    }

    #[cfg(feature = "typescript")]
    #[test]
    fn reads_mappings() {
        let maps =
            b"1000-2000 r-xp 00000000 00:1 7 /a b (deleted)\n2000-3000 rw-p 0 00:0 0 [heap]\n\
                     3000-4000 rw-p 00000000 00:00 0 \n4000-5000 r-xp 0 00:1 8 /c\n";
        let path = |address| mapped_at(maps, address);
        assert_eq!(path(0x1fff), Some("/a b (deleted)".into()));
        assert_eq!(path(0x4000), Some("/c".into()));
        assert_eq!(
            [path(0), path(0x2000), path(0x3000), path(0x5000)],
            [const { None }; 4]
        );
    }

    #[test]
    fn reads_a_limit() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max realtime priority     0                    0                    \n\
                      Max realtime timeout      5980780305148018689  unlimited            us        \n";
        assert_eq!(
            parse_realtime_limit(limits),
            Some(5_980_780_305_148_018_689)
        );
        assert_eq!(
            parse_realtime_limit("Max realtime timeout  unlimited  unlimited  us"),
            None
        );
        assert_eq!(parse_realtime_limit(""), None);
    }

    #[test]
    fn distinguishes_programs() {
        let line = |name: &str, place: u64| {
            let zeros = "0 ".repeat(19);
            format!("7 ({name}) S {}{place} {zeros}1 2 3 4 0", "0 ".repeat(24))
        };
        let program = |name, place| parse_program(line(name, place).as_bytes()).unwrap();
        let shell = program("a) (b", 9);
        assert_eq!(
            (&*shell.name, shell.place),
            (&b"a) (b"[..], Some([9, 1, 2, 3, 4]))
        );
        assert!(!shell.differs(&program("a) (b", 9)));
        assert!(shell.differs(&program("a) (b", 8)));
        assert!(!shell.differs(&program("b", 9)));
        let hidden = line("a) (b", 0).replace(" 1 2 3 4 ", " 0 0 0 0 ");
        let hidden = parse_program(hidden.as_bytes()).unwrap();
        assert_eq!(hidden.place, None);
        assert!(!shell.differs(&hidden) && !hidden.differs(&shell));
        assert!(hidden.differs(&program("b", 9)));
        assert_eq!(parse_program(b"7 (x) S 1"), None);
        assert_eq!(parse_program(b")("), None);

        let me = Program::of(std::process::id()).unwrap();
        assert!(me.place.is_some());
    }

    #[test]
    fn sees_this_very_process() {
        let me = std::process::id();
        assert!(pids().any(|pid| pid == me));
        let stat = Stat::of(me).unwrap();
        assert!(stat.is_live() && !stat.is_forked);
        assert!(Signals::of(me).is_some_and(|signals| !signals.has_pending(Signal::TERM)));
        assert!(last_pid().is_some());
    }
}
