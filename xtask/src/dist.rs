//! `cargo xtask dist`: an archive of the programs, for an installation without Rust.

use std::fs;
use std::path::Path;

use crate::sh::{self, Result};
use crate::web;

const PROGRAMS: [&str; 2] = ["sandbox", "sandbox-daemon"];

/// Shells, each with the name that its completions have.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "sandbox"),
    ("fish", "sandbox.fish"),
    ("zsh", "_sandbox"),
];

/// Files of the repository.
const FILES: [&str; 5] = [
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "docs/Containerfile",
];

/// Builds the programs and writes `target/dist/sandbox-VERSION-TARGET.tar.gz`.
pub(crate) fn run() -> Result<()> {
    let rustc = sh::output(sh::command("rustc").arg("-vV"))?;
    let target = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let target = target.ok_or("`rustc -vV` names no host")?;
    let mut build = sh::cargo(["build", "--profile", "dist", "--target", target]);
    build.args(["--package", "sandbox-cli", "--package", "sandbox-daemon"]);
    // The C library is in the programs, which so run on every Linux, without any other file. By a variable for the target, since
    // macros are built for the host and are loaded into the compiler.
    let flags = target.to_uppercase().replace('-', "_");
    build.env(
        format!("CARGO_TARGET_{flags}_RUSTFLAGS"),
        "-C target-feature=+crt-static",
    );
    sh::run(web::embed(&mut build, "sandbox-cli/web")?)?;

    let name = format!("sandbox-{}-{target}", env!("CARGO_PKG_VERSION"));
    let dist = sh::target().join("dist");
    let place = dist.join(&name);
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(place.join("completions"))?;
    let built = sh::target().join(target).join("dist");
    for program in PROGRAMS {
        fs::copy(built.join(program), place.join(program))?;
        runs_alone(&place, program)?;
    }
    for file in FILES {
        let name = file.rsplit('/').next().unwrap_or(file);
        fs::copy(sh::root().join(file), place.join(name))?;
    }
    fs::copy(web::license()?, place.join("LICENSE-xterm.js"))?;
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
    // The same files give the same archive, wherever and whenever they are packed.
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

/// Runs a program in a root directory that has nothing else.
fn runs_alone(place: &Path, program: &str) -> Result<()> {
    let root = place.join("empty");
    fs::create_dir(&root)?;
    fs::copy(place.join(program), root.join(program))?;
    let mut run = sh::command("unshare");
    run.args(["--map-root-user", "--root"]).arg(&root);
    let version = sh::output(run.args([&format!("/{program}"), "--version"]))?;
    sh::say(&format!("in an empty root directory: {}", version.trim()));
    Ok(fs::remove_dir_all(&root)?)
}
