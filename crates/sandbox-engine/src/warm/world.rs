//! The state that a new process reads of the system, and inherits from this thread.
//!
//! A process that was started earlier is equivalent to a new one only if nothing of this has changed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::environment::Environment;
use crate::sys;

/// A snapshot of that state. If two are equal, process starts are equivalent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct World {
    /// The versions of the [files](files) that the start of a process reads, in their order; `None` for missing ones.
    files: Vec<Option<Version>>,
    /// Contents of files below `/proc` and `/sys`, and targets of links.
    states: Vec<Option<Vec<u8>>>,
}

/// A version of a file: any change to its content or attributes, or another file in its place, makes it differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

/// The directory to which a path currently leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Without links.
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Place {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let path = std::fs::canonicalize(path)?;
        let found = std::fs::metadata(&path)?;
        Ok(Self {
            path,
            device: found.dev(),
            inode: found.ino(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl World {
    /// Takes a snapshot for a process that this thread starts, of which `files` are the [versions](versions). Costs some
    /// 100 us.
    pub(crate) fn now(files: Vec<Option<Version>>) -> Self {
        let mut world = Self::inherited();
        let states = &mut world.states;
        // The name of the time zone is the name of the file.
        states.push(link(Path::new("/etc/localtime")));
        let groups = read(&Path::new(OWN).join("cgroup"));
        states.extend(memory_limits(groups.as_deref().unwrap_or_default()).map(|path| read(&path)));
        states.push(read(Path::new("/proc/meminfo")).map(|text| lines(&text, &["MemTotal"])));
        Self { files, ..world }
    }

    /// Takes a snapshot for a process that reads nothing of the system at its start, or nothing that changes.
    pub(crate) fn inherited() -> Self {
        // Of this thread, not of the process: the signal mask, the affinity and the timer slack are
        // a thread's, and a child inherits those of the thread that starts it.
        let own = Path::new(OWN);
        let mut states = vec![
            read(&own.join("status")).map(|text| lines(&text, STATUS)),
            read(&own.join("stat")).map(|text| scheduling(&text)),
            read(&own.join("cgroup")),
            shown(rustix::thread::current_timer_slack()),
            shown(sys::io_priority()),
        ];
        states.extend(CONTENTS.iter().map(|path| read(&own.join(path))));
        states.extend(LINKS.iter().map(|path| link(&own.join(path))));
        Self {
            files: Vec::new(),
            states,
        }
    }
}

/// The directory of this thread.
const OWN: &str = "/proc/thread-self";

fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

fn shown(found: Result<impl ToString, impl Into<io::Error>>) -> Option<Vec<u8>> {
    Some(found.ok()?.to_string().into_bytes())
}

fn link(path: &Path) -> Option<Vec<u8>> {
    Some(std::fs::read_link(path).ok()?.into_os_string().into_vec())
}

impl Version {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let found = std::fs::metadata(path)?;
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }

    /// Returns whether the latest change was at `time` or later, by the clock of files, which may be a tick late.
    pub(crate) fn is_since(&self, time: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let seconds = Duration::from_secs(seconds.try_into().unwrap_or_default());
        let changed = seconds + Duration::from_nanos(nanoseconds.try_into().unwrap_or_default());
        let time = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        // The kernel stamps files by its coarse clock, which advances with each tick: every 10 ms
        // with `CONFIG_HZ=100`, the slowest usual setting. So a change just after `time` can be
        // stamped before it.
        changed + TICK >= time
    }
}

/// The longest interval between two ticks of the clock of files.
const TICK: Duration = Duration::from_millis(10);

/// Returns the versions of the files that the start of a process with this environment and working directory reads. The
/// environment may name files on any file system, which can block this thread.
pub(crate) fn versions(env: &Environment, cwd: &Path) -> Vec<Option<Version>> {
    let files = files(env, cwd);
    files.iter().map(|path| Version::of(path).ok()).collect()
}

/// Returns the files that the dynamic linker, the C library, OpenSSL and Node.js read before a program begins. A Python
/// server determines by itself which files its interpreter reads.
fn files(env: &Environment, cwd: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    for name in FILE_VARIABLES {
        files.extend(env.get(name).map(|path| cwd.join(path)));
    }
    for paths in LIST_VARIABLES.iter().filter_map(|name| env.get(name)) {
        // An empty entry is the working directory. An unset variable has no entries.
        let paths = paths
            .as_bytes()
            // Colons and semicolons separate directories, colons and blanks objects (ld.so(8)).
            .split(|byte| matches!(byte, b':' | b';' | b' '));
        files.extend(paths.map(|path| cwd.join(OsStr::from_bytes(path))));
    }
    if let Some(zone) = env.get("TZ") {
        let zone = zone.as_bytes();
        let zone = OsStr::from_bytes(zone.strip_prefix(b":").unwrap_or(zone));
        let zones = env.get("TZDIR").unwrap_or_else(|| OsStr::new(ZONES));
        files.push(Path::new(zones).join(zone));
    }
    files
}

/// Returns the lines of a file of `/proc` that begin with one of these names.
fn lines(text: &[u8], names: &[&str]) -> Vec<u8> {
    let is_wanted = |line: &&[u8]| {
        let name = line.split(|byte| *byte == b':').next();
        name.is_some_and(|name| names.iter().any(|wanted| wanted.as_bytes() == name))
    };
    let lines = text.split(|byte| *byte == b'\n').filter(is_wanted);
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// Returns session, terminal, nice value, and scheduling from a `stat` of `/proc`.
fn scheduling(stat: &[u8]) -> Vec<u8> {
    // The name can itself contain parentheses and blanks (proc_pid_stat(5)).
    let after_name = stat.iter().rposition(|byte| *byte == b')').unwrap_or(0);
    let fields: Vec<&[u8]> = stat[after_name..].split(|byte| *byte == b' ').collect();
    // The fields after the name: state, parent, group, then as proc_pid_stat(5) counts, less two.
    let wanted = [4, 5, 17, 38, 39];
    let wanted = wanted.map(|at: usize| fields.get(at).copied().unwrap_or_default());
    wanted.join(&b' ')
}

/// Returns the files with the limits by which Node.js sizes its heap. A container often sees its own group as the root.
fn memory_limits(groups: &[u8]) -> impl Iterator<Item = PathBuf> {
    let below = |root: &str, path: &[u8], file: &str| {
        let path = OsString::from_vec(path.to_vec());
        Path::new(root)
            .join(
                Path::new(&path)
                    .strip_prefix("/")
                    .unwrap_or_else(|_| Path::new("")),
            )
            .join(file)
    };
    let mut files = Vec::new();
    for line in groups.split(|byte| *byte == b'\n') {
        // `hierarchy:controllers:path`, of cgroups(7).
        let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        if controllers.is_empty() {
            files.push(below("/sys/fs/cgroup", path, "memory.max"));
            files.push(below("/sys/fs/cgroup", path, "memory.high"));
        } else if controllers
            .split(|byte| *byte == b',')
            .any(|name| name == b"memory")
        {
            let file = "memory.limit_in_bytes";
            files.push(below("/sys/fs/cgroup/memory", path, file));
            files.push(below("/sys/fs/cgroup/memory", b"/", file));
        }
    }
    files.into_iter()
}

/// Files that the dynamic linker, the C library and OpenSSL of the usual distributions read.
const FILES: &[&str] = &[
    "/etc/crypto-policies/back-ends/opensslcnf.config",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki/tls/openssl.cnf",
    "/etc/resolv.conf",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
    "/usr/lib/locale",
    "/usr/lib/locale/locale-archive",
    "/usr/lib/ssl/openssl.cnf",
    "/usr/local/ssl/openssl.cnf",
];

/// Variables that name one file or directory.
const FILE_VARIABLES: &[&str] = &[
    "LOCPATH",
    "MUSL_LOCPATH",
    "NODE_EXTRA_CA_CERTS",
    "OPENSSL_CONF",
    "SSL_CERT_FILE",
];

/// Variables that name several files or directories.
const LIST_VARIABLES: &[&str] = &["LD_AUDIT", "LD_LIBRARY_PATH", "LD_PRELOAD"];

/// The directory in which the C library looks for time zones.
const ZONES: &str = "/usr/share/zoneinfo";

/// Lines of `/proc/thread-self/status` with properties that a child inherits.
const STATUS: &[&str] = &[
    "Umask",
    "Uid",
    "Gid",
    "Groups",
    "SigBlk",
    "SigIgn",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
    "Speculation_Store_Bypass",
    "SpeculationIndirectBranch",
    "THP_enabled",
    "Cpus_allowed",
    "Mems_allowed",
];

/// Files with properties that a child inherits, and the number of processors.
const CONTENTS: &[&str] = &[
    "limits",
    "oom_score_adj",
    "personality",
    "attr/current",
    "/proc/self/coredump_filter",
    "/sys/devices/system/cpu/online",
];

/// Links to what a child is placed in.
const LINKS: &[&str] = &[
    "root",
    "ns/cgroup",
    "ns/ipc",
    "ns/mnt",
    "ns/net",
    "ns/pid_for_children",
    "ns/time_for_children",
    "ns/user",
    "ns/uts",
];

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    /// Checks that a world is the same until `change`, and another one after it.
    fn check(what: &str, env: &Environment, cwd: &Path, change: impl FnOnce()) {
        let now = || World::now(versions(env, cwd));
        let before = now();
        assert_eq!(now(), before, "{what}: nothing has changed");
        change();
        assert_ne!(now(), before, "{what}");
    }

    #[test]
    fn a_world_changes_with_what_a_start_reads() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let write = |name: &str| std::fs::write(at(name), name).unwrap();
        let mut env = Environment::empty();
        for (name, value) in [
            ("TZ", format!(":{}", at("zone").display())),
            (
                "LD_LIBRARY_PATH",
                format!("/none:{}", at("libraries").display()),
            ),
            ("NODE_EXTRA_CA_CERTS", "certificates".to_owned()),
        ] {
            env.set(name, value);
        }
        std::fs::create_dir(at("libraries")).unwrap();
        let check = |what, change: &dyn Fn()| check(what, &env, place.path(), change);
        check("a zone that comes", &|| write("zone"));
        check("another zone in its place", &|| {
            write("other");
            std::fs::rename(at("other"), at("zone")).unwrap();
        });
        check("a library that comes", &|| write("libraries/libz.so"));
        check("certificates that come", &|| write("certificates"));
        check("certificates that go", &|| {
            std::fs::remove_file(at("certificates")).unwrap();
        });
    }

    #[test]
    fn a_file_in_the_working_directory_is_none_of_the_world() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str| std::fs::write(place.path().join(name), name).unwrap();
        let mut env = Environment::empty();
        let before = versions(&env, place.path());
        write("chart.png");
        assert_eq!(versions(&env, place.path()), before);
        // It is if the linker looks there.
        env.set("LD_LIBRARY_PATH", "/none:");
        check("a library", &env, place.path(), || write("libz.so"));
    }

    #[test]
    fn a_world_changes_with_what_a_child_inherits() {
        // The nice value and the affinity are this thread's own.
        let env = Environment::empty();
        check("nice", &env, Path::new("/"), || {
            rustix::process::nice(1).unwrap();
        });
        // So is the timer slack.
        check("timer slack", &env, Path::new("/"), || {
            rustix::thread::set_current_timer_slack(NonZeroU64::new(70_000)).unwrap();
        });
        check("I/O priority", &env, Path::new("/"), || {
            // The idle class.
            sys::set_io_priority(3 << 13).unwrap();
        });
        let found = World::now(Vec::new()).states;
        let found: Vec<_> = found
            .iter()
            .flatten()
            .map(|state| state.as_slice())
            .collect();
        let text = String::from_utf8_lossy(&found.join(&b'\n')).into_owned();
        for part in [
            "Umask:",
            "SigIgn:",
            "Cpus_allowed:",
            "THP_enabled:",
            "Max open files",
            "mnt:[",
            "MemTotal:",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn limits_of_memory_are_found_in_both_versions_of_control_groups() {
        let of = |groups: &str| {
            let files = memory_limits(groups.as_bytes());
            files
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of("0::/a/b\n"),
            [
                "/sys/fs/cgroup/a/b/memory.max",
                "/sys/fs/cgroup/a/b/memory.high"
            ]
        );
        assert_eq!(
            of("5:cpu:/\n4:memory:/a\n"),
            [
                "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes"
            ]
        );
        assert_eq!(of(""), [""; 0]);
    }
}
