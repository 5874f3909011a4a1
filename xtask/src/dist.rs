//! `cargo xtask dist`: an archive of the programs, for an installation without Rust.

use std::fs;
use std::path::Path;

use crate::sh::{self, Result};

const PROGRAMS: [&str; 2] = ["sandbox", "sandbox-daemon"];

/// Shells, each with the name that its completions have.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "sandbox"),
    ("fish", "sandbox.fish"),
    ("zsh", "_sandbox"),
];

/// Files of the repository.
const FILES: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// Builds the programs and writes `target/dist/sandbox-VERSION-TARGET.tar.gz`.
pub(crate) fn run() -> Result<()> {
    let rustc = sh::output(sh::command("rustc").arg("-vV"))?;
    let target = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let target = target.ok_or("`rustc -vV` names no host")?;
    let mut build = sh::cargo(["build", "--profile", "dist"]);
    build.args(["--package", "sandbox-cli", "--package", "sandbox-daemon"]);
    sh::run(&mut build)?;

    let name = format!("sandbox-{}-{target}", env!("CARGO_PKG_VERSION"));
    let dist = sh::target().join("dist");
    let place = dist.join(&name);
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(place.join("completions"))?;
    for program in PROGRAMS {
        fs::copy(dist.join(program), place.join(program))?;
    }
    for file in FILES {
        fs::copy(sh::root().join(file), place.join(file))?;
    }
    let sandbox = place.join("sandbox");
    let print = |arguments: &[&str], file: &Path| -> Result<()> {
        let text = sh::output(sh::command(&sandbox).args(arguments))?;
        Ok(fs::write(file, text)?)
    };
    print(&["man"], &place.join("sandbox.1"))?;
    for (shell, file) in COMPLETIONS {
        let file = place.join("completions").join(file);
        print(&["completions", shell], &file)?;
    }

    let archive = format!("{name}.tar.gz");
    let mut tar = sh::command("tar");
    // The same files give the same archive, whoever packs them and when.
    tar.args([
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mtime=@0",
    ]);
    tar.args(["-czf", &archive, &name]);
    sh::run(tar.current_dir(&dist))?;
    for program in PROGRAMS {
        let bytes = fs::metadata(place.join(program))?.len();
        sh::say(&format!(
            "{program}: {:.1} MiB",
            bytes as f64 / f64::from(1 << 20)
        ));
    }
    sh::run(sh::command("sha256sum").arg(&archive).current_dir(&dist))
}
