//! What the machine itself must have. Nothing is installed here: what is missing is reported, with the command that
//! installs it.

use crate::sh;

/// A thing that is needed, and how to get it.
pub(crate) struct Need {
    /// A text for a shell that succeeds where the thing is.
    test: &'static str,
    /// The Debian package that has it.
    package: &'static str,
}

/// Programs that commands in the tests use and a small system may lack.
pub(crate) const TOOLS: &[Need] = &[
    need("command -v ps", "procps"),
    need("command -v dash", "dash"),
    need("command -v zsh", "zsh"),
    need("command -v busybox", "busybox"),
    need("command -v ssh", "openssh-client"),
];

/// What an old matplotlib without a wheel is built with.
pub(crate) const BUILD: &[Need] = &[
    need("command -v g++", "g++"),
    need("command -v pkg-config", "pkg-config"),
    need("pkg-config --exists freetype2", "libfreetype-dev"),
    need(
        "test -e /usr/include/libqhull_r/libqhull_r.h",
        "libqhull-dev",
    ),
    need(
        "python3 -c 'import os, sysconfig; open(os.path.join(sysconfig.get_path(\"include\"), \"Python.h\"))'",
        "python3-dev",
    ),
];

/// What counts instructions.
pub(crate) const COUNT: &[Need] = &[
    need("command -v valgrind", "valgrind"),
    need("command -v unshare", "util-linux"),
];

/// What the page of the control plane is tested in.
pub(crate) const BROWSER: &[Need] = &[need("command -v chromium", "chromium")];

const fn need(test: &'static str, package: &'static str) -> Need {
    Need { test, package }
}

/// Returns the Debian packages of what is missing.
pub(crate) fn missing(needs: &[Need]) -> Vec<&'static str> {
    let is_missing = |need: &&Need| sh::output(sh::command("sh").arg("-c").arg(need.test)).is_err();
    let missing = needs.iter().filter(is_missing);
    missing.map(|need| need.package).collect()
}

/// Returns what to do about missing packages.
pub(crate) fn help(packages: &[&str]) -> String {
    let packages = packages.join(" ");
    format!(
        "{packages}: not installed\nhelp: sudo apt-get install --no-install-recommends {packages}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let needs = [
            need("true", "here"),
            need("exit 3", "there"),
            need("no-such-command", "where"),
        ];
        let missing = missing(&needs);
        assert_eq!(missing, ["there", "where"]);
        assert!(help(&missing).ends_with("recommends there where"));
    }
}
