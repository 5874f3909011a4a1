//! What the machine itself must bring, by apt-get where it lacks.

use std::process::Command;

use crate::sh::{self, Result};

/// Installs what is missing of `tools`, each a program and the Debian package that has it.
pub(crate) fn need(tools: &[(&str, &str)]) -> Result<()> {
    let missing = |(program, _): &&(&str, &str)| {
        let test = format!("command -v {program}");
        sh::output(sh::command("sh").arg("-c").arg(test)).is_err()
    };
    let packages: Vec<_> = tools
        .iter()
        .filter(missing)
        .map(|(_, package)| *package)
        .collect();
    match &packages[..] {
        [] => Ok(()),
        packages => install(packages),
    }
}

/// Installs Debian packages, as root or by sudo without a password, and says so.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let cannot = |why| format!("cannot install {list}: {why}");
    let mut update = apt_get().map_err(cannot)?;
    sh::timed("apt-get update", || sh::run(update.arg("update")))?;
    let mut install = apt_get().map_err(cannot)?;
    install.args(["install", "-y", "--no-install-recommends"]);
    install.args(packages);
    sh::timed(&format!("apt-get install {list}"), || sh::run(&mut install))
}

/// `apt-get` with the right to change the system, without questions and with few words.
fn apt_get() -> Result<Command> {
    sh::output(sh::command("apt-get").arg("--version"))
        .map_err(|_| "this system has no apt-get")?;
    let is_root = sh::output(sh::command("id").arg("-u"))?.trim() == "0";
    let mut command = if is_root {
        sh::command("env")
    } else {
        sh::output(sh::command("sudo").args(["-n", "true"]))
            .map_err(|_| "neither root nor sudo without a password")?;
        let mut sudo = sh::command("sudo");
        sudo.args(["-n", "env"]);
        sudo
    };
    command.args([
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-qq",
        "-o=Dpkg::Use-Pty=0",
    ]);
    Ok(command)
}
