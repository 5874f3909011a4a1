//! Why a process could not be isolated, and what would help.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::check::InvalidIsolation;
use crate::spawner::SpawnError;

/// An error from isolating a process. Nothing was started: a process is never isolated less than it was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IsolationError {
    /// The description does not fit this engine, for example because of its working directory.
    #[error("the isolation cannot be applied")]
    Invalid(#[from] InvalidIsolation),
    /// The kind of run cannot be isolated yet.
    #[error("{what} cannot be isolated")]
    Unsupported {
        /// The kind of run.
        what: &'static str,
    },
    /// The system does not allow a step.
    #[error("cannot isolate the process: cannot {step}{}", at(path.as_ref()))]
    Step {
        /// The step that failed.
        step: Step,
        /// The path to which it was applied.
        path: Option<PathBuf>,
        /// The error of the system.
        source: io::Error,
    },
    /// A program of the machine is needed that is not installed.
    #[error("the program {program} is not installed")]
    Missing {
        /// The name of the program.
        program: &'static str,
    },
    /// The launcher was killed, or ended in another way, before it reported that it executes the program.
    #[error("cannot isolate the process: the launcher ended without a verdict")]
    NoVerdict,
}

fn at(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| format!(" ({})", path.display()))
}

/// A step of isolating a process, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Step {
    /// Executing the engine's program again.
    Launcher,
    /// Changing to the user of [`run_as`](super::IsolationBuilder::run_as).
    User,
    /// Creating a user namespace.
    UserNamespace,
    /// Mapping the user into it.
    UserMap,
    /// Creating the other namespaces.
    Namespaces,
    /// Starting process 1 of the process namespace.
    Init,
    /// Setting the host name.
    HostName,
    /// Reading the paths of the description.
    Paths,
    /// Making the root of the view, read-only.
    Root,
    /// Mounting `/proc` of the process namespace.
    Proc,
    /// Making `/dev`.
    Devices,
    /// Applying a bind, a scratch directory or a hidden path.
    Layer,
    /// Changing to the root of the view.
    Pivot,
    /// Starting the loopback interface.
    Loopback,
    /// Giving up capabilities.
    Capabilities,
    /// Restricting files, sockets and signals by Landlock.
    Restrictions,
    /// Filtering system calls.
    SystemCalls,
    /// Making the terminal that of the program.
    Terminal,
    /// Entering the working directory.
    WorkDir,
    /// Executing the program.
    Program,
    /// Connecting the network of the view to that of the machine.
    WayOut,
    /// Having bubblewrap make the view.
    Bwrap,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 22] = [
        Self::Launcher,
        Self::User,
        Self::UserNamespace,
        Self::UserMap,
        Self::Namespaces,
        Self::Init,
        Self::HostName,
        Self::Paths,
        Self::Root,
        Self::Proc,
        Self::Devices,
        Self::Layer,
        Self::Pivot,
        Self::Loopback,
        Self::Capabilities,
        Self::Restrictions,
        Self::SystemCalls,
        Self::Terminal,
        Self::WorkDir,
        Self::Program,
        Self::WayOut,
        Self::Bwrap,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Launcher => "execute the launcher",
            Self::User => "change to the user",
            Self::UserNamespace => "create a user namespace",
            Self::UserMap => "map the user into its namespace",
            Self::Namespaces => "create namespaces",
            Self::Init => "start process 1",
            Self::HostName => "set the host name",
            Self::Paths => "use a path",
            Self::Root => "make the root read-only",
            Self::Proc => "mount /proc",
            Self::Devices => "make /dev",
            Self::Layer => "mount",
            Self::Pivot => "change the root",
            Self::Loopback => "start the loopback interface",
            Self::Capabilities => "give up capabilities",
            Self::Restrictions => "restrict files by Landlock",
            Self::SystemCalls => "filter system calls",
            Self::Terminal => "use the terminal",
            Self::WorkDir => "enter the working directory",
            Self::Program => "execute the program",
            Self::WayOut => "connect to the network",
            Self::Bwrap => "make the view by bwrap",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl IsolationError {
    /// Returns the error for a launcher that cannot be started.
    pub(crate) fn of_launcher(source: io::Error) -> Self {
        Self::Step {
            step: Step::Launcher,
            path: None,
            source,
        }
    }

    /// Returns the error for a failed start.
    pub(crate) fn of_start(error: SpawnError) -> Self {
        match error {
            SpawnError::Isolation(error) => error,
            error => Self::of_launcher(io::Error::other(error)),
        }
    }

    /// Returns what would let the step succeed, if that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Step { step, source, .. } => {
                help(*step, source.raw_os_error(), &Switches::read())
            }
            Self::Invalid(InvalidIsolation::Reserved { path }) if path == Path::new("/") => {
                Some("choose a working directory below the root".to_owned())
            }
            Self::Missing { program } => Some(match *program {
                "bwrap" => "install the package bubblewrap".to_owned(),
                program => format!("install the package {program}"),
            }),
            Self::Invalid(_) | Self::Unsupported { .. } | Self::NoVerdict => None,
        }
    }
}

/// The settings of the machine that forbid namespaces.
#[derive(Debug, Default)]
struct Switches {
    /// `kernel.unprivileged_userns_clone` is 0 (Debian).
    is_off: bool,
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1 (Ubuntu).
    is_restricted: bool,
}

impl Switches {
    fn read() -> Self {
        let is = |name: &str, value: &str| {
            let text = std::fs::read_to_string(format!("/proc/sys/kernel/{name}"));
            text.is_ok_and(|text| text.trim() == value)
        };
        Self {
            is_off: is("unprivileged_userns_clone", "0"),
            is_restricted: is("apparmor_restrict_unprivileged_userns", "1"),
        }
    }
}

fn help(step: Step, errno: Option<i32>, switches: &Switches) -> Option<String> {
    let text = match (step, errno?) {
        (Step::Restrictions, libc::ENOSYS | libc::EOPNOTSUPP) => {
            "use Linux 6.12 or newer, with Landlock among the security modules (the parameter lsm)"
        }
        (_, libc::ENOSYS) => "use Linux 5.12 or newer",
        (Step::UserNamespace, libc::EPERM | libc::EACCES) if switches.is_off => {
            "set the sysctl kernel.unprivileged_userns_clone to 1"
        }
        (
            Step::UserNamespace | Step::UserMap | Step::Namespaces | Step::Root,
            libc::EPERM | libc::EACCES,
        ) if switches.is_restricted => {
            "install an AppArmor profile that grants `userns` to this program, or set the sysctl \
             kernel.apparmor_restrict_unprivileged_userns to 0"
        }
        (Step::UserNamespace | Step::Namespaces, libc::EPERM) => {
            "allow user namespaces: a container needs a seccomp profile that permits unshare(2)"
        }
        (Step::UserNamespace, libc::ENOSPC) => {
            "raise the sysctl user.max_user_namespaces, and nest fewer user namespaces"
        }
        (Step::Namespaces, libc::ENOSPC) => "raise the sysctls user.max_*_namespaces",
        (Step::Proc, libc::EPERM) => {
            "start the container with an unmasked /proc (systempaths=unconfined)"
        }
        (Step::Paths | Step::Layer, libc::ELOOP) => "name a path without symbolic links",
        (Step::WayOut, libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
            "load the kernel module tun; a container needs the device /dev/net/tun"
        }
        (Step::WayOut, libc::EACCES | libc::EPERM) => {
            "let this user read and write /dev/net/tun (on most systems all users can)"
        }
        (Step::Bwrap, libc::ECONNABORTED) => {
            "see why `bwrap --unshare-all --size 4096 --tmpfs /tmp true` fails; use bubblewrap 0.8 or newer"
        }
        (Step::User, libc::EPERM) => "run the engine as root",
        (Step::SystemCalls, libc::EINVAL) => "use a kernel with CONFIG_SECCOMP_FILTER",
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_as_they_are_listed() {
        for (number, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(step as usize, number, "{step}");
        }
    }

    #[test]
    fn the_settings_of_the_machine_are_named() {
        let check = |step, errno, switches: Switches, expect: &str| {
            let help = help(step, Some(errno), &switches).unwrap_or_default();
            assert!(help.contains(expect), "{step}: {help}");
        };
        let off = || Switches {
            is_off: true,
            ..Switches::default()
        };
        let restricted = || Switches {
            is_restricted: true,
            ..Switches::default()
        };
        check(
            Step::UserNamespace,
            libc::EPERM,
            off(),
            "unprivileged_userns_clone",
        );
        check(Step::UserMap, libc::EPERM, restricted(), "AppArmor");
        check(
            Step::UserNamespace,
            libc::EPERM,
            Switches::default(),
            "seccomp",
        );
        check(
            Step::UserNamespace,
            libc::ENOSPC,
            Switches::default(),
            "max_user_namespaces",
        );
        check(Step::Proc, libc::EPERM, Switches::default(), "unmasked");
        check(Step::Root, libc::ENOSYS, Switches::default(), "5.12");
        check(
            Step::Restrictions,
            libc::EOPNOTSUPP,
            Switches::default(),
            "6.12",
        );
        assert_eq!(
            help(Step::Layer, Some(libc::EIO), &Switches::default()),
            None
        );
    }
}
