//! The isolation of processes from the daemon's machine.

use std::fmt;

/// What an isolated process sees, may change and may reach. *Extension.*
///
/// The default ([`strict`](Self::strict)): the machine is read-only; `/tmp`, `/var/tmp`, `/run` and all home directories are
/// empty directories of the process's own; the daemon's working directory is writable; there is no network but a loopback
/// interface. All processes end with the one that was started.
///
/// Paths are absolute, without `.` and `..`; those of the machine lead through no symbolic links. The daemon refuses a
/// description of which one part takes back what another promises.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Isolation {
    pub(crate) level: Option<IsolationLevel>,
    pub(crate) network: Network,
    pub(crate) binds: Vec<Bind>,
    pub(crate) hidden: Vec<String>,
    pub(crate) scratch: Vec<String>,
    pub(crate) scratch_bytes: Option<u64>,
}

/// The network of an isolated process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Network {
    /// A loopback interface of its own and nothing else.
    #[default]
    None,
    /// A network of its own with a way out: other machines are reached, and addresses of the daemon's machine that are not those of its
    /// loopback interface. Needs the program slirp4netns there.
    User,
    /// The network of the daemon's machine, with all services on its loopback interface.
    Host,
}

/// What a bind allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Reading and executing.
    Read,
    /// Changes, too, as far as the daemon's user may make them.
    Write,
}

/// A file or directory of the machine in the view.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Bind {
    pub(crate) source: String,
    pub(crate) path: String,
    pub(crate) access: Access,
}

/// How strongly a process is isolated. What was asked for is what a process has, or it is not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IsolationLevel {
    /// The process has the rights of the daemon.
    None,
    /// Landlock and a filter of system calls, for machines that allow no namespaces (Linux 6.12). Files that were not given cannot be
    /// read or changed, but their names and sizes be seen, as can other processes; `/tmp` and the home directories are out of
    /// reach; without the network there are no sockets at all.
    Landlock,
    /// As [`Namespaces`](Self::Namespaces), made by the program bubblewrap of the machine and checked afterwards: for machines that
    /// allow user namespaces to that program alone. Without binds at other paths, and without [`Network::User`].
    Bwrap,
    /// Namespaces for users, files, processes, network, host name, semaphores and control groups; a filter of system
    /// calls; no capabilities.
    Namespaces,
}

/// The levels that a daemon can give.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IsolationSupport {
    /// The strongest of them; `None` for one that this version does not know.
    pub level: Option<IsolationLevel>,
    /// All that this version knows.
    pub levels: Vec<IsolationLevel>,
    /// Whether the daemon isolates everything that it runs.
    pub by_default: bool,
    /// The step of [`Namespaces`](IsolationLevel::Namespaces) that the system does not allow. `None` if there is none.
    pub problem: Option<String>,
    /// What would allow it, if that is known.
    pub help: Option<String>,
    /// Why no process can have [`Network::User`]. `None` if nothing is known that would prevent it.
    pub network_problem: Option<String>,
}

impl Isolation {
    /// Creates the strictest isolation that leaves the daemon's working directory usable.
    pub fn strict() -> Self {
        Self::default()
    }

    /// Sets the level. Default: [`IsolationLevel::Namespaces`]. [`Landlock`](IsolationLevel::Landlock) has neither binds at other paths
    /// nor scratch directories.
    #[must_use]
    pub fn level(mut self, level: IsolationLevel) -> Self {
        self.level = Some(level);
        self
    }

    /// Sets the network. Default: [`Network::None`].
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Shows a file or directory of the machine, read-only, where it would otherwise be hidden.
    #[must_use]
    pub fn read(self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.bind(path.clone(), path, Access::Read)
    }

    /// Makes a file or directory of the machine writable.
    #[must_use]
    pub fn write(self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.bind(path.clone(), path, Access::Write)
    }

    /// Shows the file or directory `source` of the machine at `path`.
    #[must_use]
    pub fn bind(
        mut self,
        source: impl Into<String>,
        path: impl Into<String>,
        access: Access,
    ) -> Self {
        self.binds.push(Bind {
            source: source.into(),
            path: path.into(),
            access,
        });
        self
    }

    /// Hides a file or directory.
    #[must_use]
    pub fn hide(mut self, path: impl Into<String>) -> Self {
        self.hidden.push(path.into());
        self
    }

    /// Puts an empty writable directory at `path`, in memory, which is discarded with the process.
    #[must_use]
    pub fn scratch(mut self, path: impl Into<String>) -> Self {
        self.scratch.push(path.into());
        self
    }

    /// Sets the size of each scratch directory in bytes, at least 1. Default: 1 GiB.
    #[must_use]
    pub fn scratch_bytes(mut self, bytes: u64) -> Self {
        self.scratch_bytes = Some(bytes);
        self
    }
}

impl IsolationLevel {
    /// Returns the name, such as `namespaces`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Landlock => "landlock",
            Self::Bwrap => "bwrap",
            Self::Namespaces => "namespaces",
        }
    }
}

impl fmt::Display for IsolationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl IsolationSupport {
    /// Creates the description of a daemon that gives this level.
    pub fn new(level: Option<IsolationLevel>) -> Self {
        Self {
            levels: level.into_iter().collect(),
            level,
            by_default: false,
            problem: None,
            help: None,
            network_problem: None,
        }
    }
}
