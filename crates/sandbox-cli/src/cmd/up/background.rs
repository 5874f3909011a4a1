//! The control plane in a process of its own.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use sandbox_process::ControlAddress;

use super::{NETWORKS, UpArgs};
use crate::background::said;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;
use crate::state::{StateDir, User};

/// What has become of the process.
pub(super) enum Started {
    /// It listens.
    At(ControlAddress),
    /// It has ended with this code, and said why.
    Not(Exit),
}

/// What the process prints when it listens.
pub(super) const READY: &str = "ready";

/// How a line begins by which the process says what sandboxes lack.
pub(super) const WARNING: &str = "warning: ";

/// Starts this program again as a control plane that outlives it, and waits until it listens.
#[expect(
    clippy::disallowed_methods,
    reason = "a control plane that outlives this program is nothing that runs in a sandbox"
)]
pub(super) fn start(dir: &StateDir, args: &UpArgs) -> Result<Started, CliError> {
    if dir.user()? != User::Nobody {
        return Err(CliError::IsUp {
            path: dir.path().to_owned(),
        });
    }
    let start = || {
        let path = dir.file("up.log");
        let mut log = OpenOptions::new();
        let log = log.write(true).create(true).truncate(true).mode(0o600);
        let log = log.open(&path)?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["up", "--detached"])
            .arg("--state-dir")
            .arg(dir.path())
            .arg("--listen")
            .arg(args.listen.to_string());
        for (name, root) in &args.images {
            command
                .arg("--image")
                .arg(format!("{name}={}", root.display()));
        }
        if let Some(most) = args.max_sandboxes {
            command.arg("--max-sandboxes").arg(most.to_string());
        }
        let network = NETWORKS.iter().find(|(_, one)| args.network == Some(*one));
        if let Some((name, _)) = network {
            command.arg("--network").arg(name);
        }
        if let Some(bytes) = args.memory {
            command.arg("--memory").arg(bytes.to_string());
        }
        if let Some(most) = args.processes {
            command.arg("--processes").arg(most.to_string());
        }
        if let Some(group) = &args.cgroup {
            command.arg("--cgroup").arg(group);
        }
        #[cfg(feature = "ssh")]
        if args.no_ssh {
            command.arg("--no-ssh");
        } else {
            command.arg("--ssh").arg(args.ssh.to_string());
        }
        if let Some(file) = &args.key_file {
            command.arg("--key-file").arg(file);
        }
        if args.format.json {
            command.arg("--json");
        }
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(log).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if line.trim_end() == READY {
            Ok(None)
        } else {
            // It has ended, or does so now.
            child.wait().map(|status| Some((status, said(&path))))
        }
    };
    let Some((status, said)) = start().map_err(CliError::Up)? else {
        let log = said(&dir.file("up.log"));
        for warning in log.lines().filter(|line| line.starts_with(WARNING)) {
            output::note(warning)?;
        }
        return Ok(Started::At(dir.address()?));
    };
    // An error with its hint, as this process would have reported it.
    output::note(&said)?;
    Ok(Started::Not(Exit::of_code(status.code())))
}
