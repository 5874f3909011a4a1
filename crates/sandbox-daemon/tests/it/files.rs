//! The daemon's files: their owner and rights, and what becomes of them when they are removed.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::binary::{daemon_by, end, execute, fails, request, wait, wait_for};

pub(crate) const OPTIONS: [&str; 4] = [
    "--listen",
    "127.0.0.1:0",
    "--insecure-no-auth",
    "--state-dir",
];

/// Where a daemon of a test has its files.
pub(crate) struct Home {
    pub(crate) directory: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("tmp")).unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts a daemon with this umask.
    pub(crate) fn start(&self, umask: &str) -> (Child, String) {
        let binary = env!("CARGO_BIN_EXE_sandbox-daemon");
        let script = format!("umask {umask}; exec \"$@\"");
        let mut command = daemon_by("/bin/sh");
        command
            .args(["-c", &script, "sh", binary])
            .args(OPTIONS)
            .arg(self.path("state"))
            .env("TMPDIR", self.path("tmp"));
        let log = std::fs::File::create(self.path("log")).unwrap();
        wait(command.stdout(Stdio::piped()).stderr(log).spawn().unwrap())
    }

    /// Every file and directory of the daemon, with its mode.
    pub(crate) fn modes(&self) -> Vec<(PathBuf, u32)> {
        let mut found = Vec::new();
        for name in ["tmp", "state"] {
            walk(&self.path(name), &mut found);
        }
        found
    }
}

fn walk(directory: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        // It may have been removed meanwhile.
        let Ok(metadata) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        found.push((path.clone(), metadata.permissions().mode() & 0o7777));
        if metadata.is_dir() {
            walk(&path, found);
        }
    }
}

/// A program that says that it runs, by a file, and waits for another file.
fn waiting(directory: &Path, language: &str) -> serde_json::Value {
    let (runs, go) = (directory.join(language), directory.join("go"));
    let (runs, go) = (runs.display(), go.display());
    let code = match language {
        "bash" => format!(": > {runs}; until test -e {go}; do sleep 0.01; done; echo done"),
        _ => format!(
            "import os, time\nopen('{runs}', 'w')\nwhile not os.path.exists('{go}'): time.sleep(0.01)\nprint('done')"
        ),
    };
    serde_json::json!({ "language": language, "code": code })
}

#[test]
fn every_file_is_private_whatever_the_umask_is() {
    for umask in ["000", "022", "0777"] {
        let home = Home::new();
        let (child, address) = home.start(umask);
        let programs: Vec<_> = ["bash", "python"]
            .map(|language| {
                let body = waiting(home.directory.path(), language);
                let address = address.clone();
                std::thread::spawn(move || request(&address, "POST", "/process/code-run", &body))
            })
            .into();
        for language in ["bash", "python"] {
            wait_for(|| home.path(language).exists());
        }
        let modes = home.modes();
        let programs_found = modes
            .iter()
            .filter(|(path, _)| path.to_string_lossy().contains("/main."));
        assert_eq!(programs_found.count(), 2, "{modes:?}");
        for (path, mode) in &modes {
            assert_eq!(
                mode & 0o077,
                0,
                "umask {umask}: {} has mode {mode:o}",
                path.display()
            );
            assert_eq!(
                mode & 0o600,
                0o600,
                "umask {umask}: {} has mode {mode:o}",
                path.display()
            );
        }
        std::fs::write(home.path("go"), "").unwrap();
        for program in programs {
            let answer = program.join().unwrap();
            assert!(answer.contains("done"), "umask {umask}: {answer}");
        }
        end(child);
        assert_eq!(home.modes(), [], "umask {umask}");
    }
}

#[test]
fn a_state_directory_of_another_user_is_refused() {
    let home = Home::new();
    let state = home.path("state");
    std::fs::create_dir(&state).unwrap();
    if !rustix::process::geteuid().is_root() {
        // Only root can give a directory away.
        return;
    }
    std::os::unix::fs::chown(&state, Some(65534), None).unwrap();
    let state = state.to_str().unwrap();
    for path in [state, &format!("{state}/made/in/it")] {
        fails(
            &[&OPTIONS[..], &[path]].concat(),
            "belongs to another user (uid 65534)",
        );
    }
    assert_eq!(std::fs::read_dir(state).unwrap().count(), 0);
    assert_eq!(std::fs::metadata(state).unwrap().uid(), 65534);
}

/// `rm -rf /tmp/*` is an ordinary line in a sandbox.
#[test]
fn files_that_are_removed_are_made_anew() {
    let home = Home::new();
    let (child, address) = home.start("022");
    let run = |language: &str| {
        let code = match language {
            "bash" => "echo $((6 * 7))",
            _ => "print(6 * 7)",
        };
        let body = serde_json::json!({ "language": language, "code": code });
        request(&address, "POST", "/process/code-run", &body)
    };
    let big = || {
        let body = serde_json::json!({ "command": "head -c 5000000 /dev/zero | tr '\\0' x" });
        request(&address, "POST", "/process/execute", &body)
    };
    assert!(run("bash").contains("42") && run("python").contains("42"));
    for removed in [
        format!("rm -rf {}/*", home.path("state").display()),
        format!("rm -rf {}", home.path("state").display()),
        format!("mv {0} {0}.old", home.path("state").display()),
    ] {
        execute(&address, "", &removed);
        let answer = big();
        let kept = answer.bytes().filter(|byte| *byte == b'x').count();
        assert!(kept >= 5_000_000, "{removed}: {kept} bytes");
        for language in ["bash", "python"] {
            let answer = run(language);
            assert!(answer.contains("42"), "{removed}: {language}: {answer}");
        }
    }
    end(child);
}
