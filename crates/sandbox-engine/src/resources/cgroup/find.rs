//! Where control groups can be made.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::description::{Limit, Mechanism};
use super::abandoned;
use crate::procfs;

/// A directory in which groups that enforce one limit can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Parent {
    pub(super) version: Version,
    pub(in super::super) directory: PathBuf,
}

/// The version of a control group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Version {
    One,
    Two,
}

/// The directories for each limit, or why there is none.
#[derive(Debug)]
pub(super) struct Parents {
    memory: Result<Parent, String>,
    processes: Result<Parent, String>,
    cpus: Result<Parent, String>,
}

/// What a process sees of control groups.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The contents of `/proc/self/cgroup`.
    pub(super) membership: String,
    /// The contents of `/proc/self/mountinfo`.
    pub(super) mounts: String,
    /// The only directory to be used.
    pub(super) root: Option<PathBuf>,
}

impl Parent {
    pub(super) fn mechanism(&self) -> Mechanism {
        match self.version {
            Version::One => Mechanism::CgroupV1,
            Version::Two => Mechanism::CgroupV2,
        }
    }

    /// Makes a group for a moment, to find out whether that is possible and the controller is there.
    fn try_out(self, limit: Limit) -> Result<Self, String> {
        let group = self.directory.join(abandoned::name());
        let at = |error: io::Error| format!("{}: {error}", self.directory.display());
        std::fs::create_dir(&group).map_err(at)?;
        let file = group.join(self.version.file(limit));
        let opened = std::fs::File::options().write(true).open(file);
        // Whether or not the file could be opened: no group may be left.
        let removed = std::fs::remove_dir(&group);
        opened.and(removed).map_err(at)?;
        Ok(self)
    }
}

impl Version {
    /// Returns the file in which the limit is set.
    pub(super) fn file(self, limit: Limit) -> &'static str {
        match (self, limit) {
            (_, Limit::Processes) => "pids.max",
            (Self::One, Limit::Memory) => "memory.limit_in_bytes",
            (Self::One, _) => "cpu.cfs_quota_us",
            (Self::Two, Limit::Memory) => "memory.max",
            (Self::Two, _) => "cpu.max",
        }
    }
}

impl Parents {
    pub(super) fn find(surroundings: &Surroundings) -> Self {
        let find = |limit| surroundings.find(limit);
        Self {
            memory: find(Limit::Memory),
            processes: find(Limit::Processes),
            cpus: find(Limit::Cpus),
        }
    }

    pub(super) fn of(&self, limit: Limit) -> Result<&Parent, &String> {
        let found = match limit {
            Limit::Memory => &self.memory,
            Limit::Processes => &self.processes,
            _ => &self.cpus,
        };
        found.as_ref()
    }
}

impl Surroundings {
    pub(super) fn here(root: Option<&Path>) -> Self {
        let read = |path| procfs::read_to_string(path).unwrap_or_default();
        Self {
            membership: read("/proc/self/cgroup"),
            mounts: read("/proc/self/mountinfo"),
            root: root.map(Path::to_owned),
        }
    }

    /// Returns all directories in which groups may have been made.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        if let Some(root) = &self.root {
            return vec![root.clone()];
        }
        let limits = [Limit::Memory, Limit::Processes, Limit::Cpus].into_iter();
        let mut directories: Vec<_> = limits
            .filter_map(|limit| self.own_group(Some(controller(limit))))
            .collect();
        if let Some(own) = self.own_group(None) {
            directories.extend(own.parent().map(Path::to_owned));
            directories.push(own);
        }
        directories
    }

    /// Returns the directory for a limit, or what was tried.
    fn find(&self, limit: Limit) -> Result<Parent, String> {
        if let Some(root) = &self.root {
            return usable_v2(root, limit);
        }
        // On a hybrid system version 2 is mounted without the controllers of version 1: each
        // controller is in one hierarchy only (cgroups(7)).
        let first = match self.own_group(Some(controller(limit))) {
            Some(directory) => {
                let version = Version::One;
                let found = Parent { version, directory }.try_out(limit);
                found.map_err(|error| format!("version 1: {error}"))
            }
            None => Err("version 1 is not mounted".to_owned()),
        };
        first.or_else(|first| {
            let second = match self.own_group(None) {
                Some(own) => self.find_v2(&own, limit),
                None => Err("is not mounted".to_owned()),
            };
            second.map_err(|second| format!("{first}; version 2: {second}"))
        })
    }

    /// Returns the usable directory of version 2 for a process in `own`.
    ///
    /// A group that has processes has no groups below it with controllers, except the root of all. So this process must be
    /// in a group below one that was delegated to it: no process is moved here.
    fn find_v2(&self, own: &Path, limit: Limit) -> Result<Parent, String> {
        // The root of all has no type.
        if !own.join("cgroup.type").exists() {
            return usable_v2(own, limit);
        }
        match own.parent().filter(|parent| is_delegated(parent)) {
            Some(parent) => usable_v2(parent, limit),
            None => Err(format!("{} is not below a delegated group", own.display())),
        }
    }

    /// Returns the directory of this process's group in the hierarchy of a controller of version 1, or of version 2.
    fn own_group(&self, controller: Option<&str>) -> Option<PathBuf> {
        let (root, mount) = self
            .mounts
            .lines()
            .find_map(|line| mount(line, controller))?;
        let path = self.membership.lines().find_map(|line| {
            // `hierarchy:controllers:path`, of cgroups(7).
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            let is_it = match controller {
                Some(controller) => controllers.split(',').any(|other| other == controller),
                None => controllers.is_empty(),
            };
            is_it.then_some(path)
        })?;
        // A container often sees its own group as the root.
        let below = Path::new(path)
            .strip_prefix(root)
            .unwrap_or_else(|_| Path::new(""));
        if below.as_os_str().is_empty() {
            Some(mount.into())
        } else {
            Some(Path::new(mount).join(below))
        }
    }
}

/// Returns the controller that enforces a limit.
fn controller(limit: Limit) -> &'static str {
    match limit {
        Limit::Memory => "memory",
        Limit::Processes => "pids",
        _ => "cpu",
    }
}

/// Returns the root and the mount point of a line of mountinfo (proc(5)) that mounts this hierarchy.
fn mount<'a>(line: &'a str, controller: Option<&str>) -> Option<(&'a str, &'a str)> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let place = (fields.next()?, fields.next()?);
    let mut fields = file_system.split(' ');
    let (kind, options) = (fields.next()?, fields.nth(1)?);
    let is_it = match controller {
        Some(controller) => {
            kind == "cgroup" && options.split(',').any(|option| option == controller)
        }
        None => kind == "cgroup2",
    };
    is_it.then_some(place)
}

/// Returns a directory of version 2 if groups below it can enforce a limit, which is enabled there.
fn usable_v2(directory: &Path, limit: Limit) -> Result<Parent, String> {
    let controller = controller(limit);
    let at = |what: &str| format!("{}: {what}", directory.display());
    let list = |name: &str| {
        let list = procfs::read_to_string(directory.join(name));
        list.map(|list| list.split_whitespace().any(|other| other == controller))
    };
    match list("cgroup.controllers") {
        Err(error) => return Err(at(&format!("no control group of version 2 ({error})"))),
        Ok(false) => return Err(at(&format!("it has no {controller} controller"))),
        Ok(true) => {}
    }
    let is_enabled = list("cgroup.subtree_control").map_err(|error| at(&error.to_string()))?;
    // Groups below have the files of those controllers only that are enabled here (cgroups(7)).
    if !is_enabled {
        let enabled = std::fs::write(
            directory.join("cgroup.subtree_control"),
            format!("+{controller}"),
        );
        enabled.map_err(|error| at(&format!("cannot enable {controller}: {error}")))?;
    }
    let parent = Parent {
        version: Version::Two,
        directory: directory.to_owned(),
    };
    parent.try_out(limit)
}

/// Returns whether a group is this user's to divide: it is owned by this user, or marked by systemd.
fn is_delegated(group: &Path) -> bool {
    let user = rustix::process::geteuid();
    let is_owned = || std::fs::metadata(group).is_ok_and(|found| found.uid() == user.as_raw());
    let is_marked = |name: &str| {
        let mut value = [0_u8; 8];
        let length = rustix::fs::getxattr(group, name, &mut value[..]);
        length.is_ok_and(|length| value.get(..length) == Some(b"1"))
    };
    // The attributes are systemd's, for units with `Delegate=yes`. Root owns all groups that are
    // not delegated, so that its ownership shows nothing.
    is_marked("user.delegate") || is_marked("trusted.delegate") || (!user.is_root() && is_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(membership: &str, mounts: &str) -> Surroundings {
        Surroundings {
            membership: membership.to_owned(),
            mounts: mounts.to_owned(),
            root: None,
        }
    }

    #[test]
    fn the_own_group_is_found_in_every_hierarchy() {
        let here = surroundings(
            "9:pids:/a\n4:cpu,cpuacct:/docker/x/b\n3:cpuset:/\n0::/c\n",
            "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
             32 31 0:29 /docker/x /sys/fs/cgroup/cpu rw,relatime shared:1 - cgroup cgroup rw,cpu,cpuacct\n\
             33 31 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        );
        let own = |controller| here.own_group(controller);
        assert_eq!(own(Some("pids")), Some("/sys/fs/cgroup/pids/a".into()));
        assert_eq!(own(Some("cpu")), Some("/sys/fs/cgroup/cpu/b".into()));
        assert_eq!(own(Some("memory")), None);
        assert_eq!(own(None), Some("/sys/fs/cgroup/unified/c".into()));
        let contained = surroundings(
            "4:memory:/\n",
            "1 2 0:3 /docker/x /m rw - cgroup c rw,memory",
        );
        assert_eq!(contained.own_group(Some("memory")), Some("/m".into()));
    }

    #[test]
    fn what_was_tried_is_reported() {
        let none = surroundings("", "").find(Limit::Memory).unwrap_err();
        assert_eq!(none, "version 1 is not mounted; version 2: is not mounted");
        let home = tempfile::tempdir().unwrap();
        let given = Surroundings {
            root: Some(home.path().to_owned()),
            ..surroundings("", "")
        };
        let none = given.find(Limit::Memory).unwrap_err();
        assert!(none.contains("no control group of version 2"), "{none}");
        std::fs::write(home.path().join("cgroup.controllers"), "pids cpu\n").unwrap();
        let none = given.find(Limit::Memory).unwrap_err();
        assert!(none.ends_with("it has no memory controller"), "{none}");
    }

    #[test]
    fn a_controller_is_enabled_for_the_groups_of_version_2() {
        let home = tempfile::tempdir().unwrap();
        let file = |name: &str| home.path().join(name);
        std::fs::write(file("cgroup.controllers"), "memory pids\n").unwrap();
        std::fs::write(file("cgroup.subtree_control"), "memory\n").unwrap();
        // A directory of another file system gets no files, which is found out.
        let error = usable_v2(home.path(), Limit::Processes).unwrap_err();
        assert!(error.contains("No such file"), "{error}");
        let enabled = std::fs::read_to_string(file("cgroup.subtree_control")).unwrap();
        assert_eq!(enabled, "+pids");
    }
}
