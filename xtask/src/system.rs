//! What the machine itself must bring, by apt-get where it lacks.

use std::process::Command;

use crate::sh::{self, Result};

/// Installs Debian packages, as root or by sudo without a password, and says so.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let prefix = privilege()?;
    sh::say(&format!("installing by apt-get: {list}"));
    sh::timed("apt-get update", || {
        sh::run(apt(prefix).args(["update", "-q"]))
    })?;
    sh::timed(&format!("apt-get install {list}"), || {
        let options = ["install", "-q", "-y", "--no-install-recommends"];
        sh::run(apt(prefix).args(options).args(packages))
    })
}

fn apt(prefix: &[&str]) -> Command {
    let mut words = prefix
        .iter()
        .chain(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let mut command = sh::command(words.next().copied().unwrap_or("env"));
    command.args(words);
    command
}

/// What stands before a command that only root may run.
fn privilege() -> Result<&'static [&'static str]> {
    sh::output(sh::command("apt-get").arg("--version"))
        .map_err(|_| "this system has no apt-get")?;
    if sh::output(sh::command("id").arg("-u"))?.trim() == "0" {
        return Ok(&[]);
    }
    match sh::output(sh::command("sudo").args(["-n", "true"])) {
        Ok(_) => Ok(&["sudo", "-n"]),
        Err(_) => Err("neither root nor sudo without a password".into()),
    }
}
