//! `cargo xtask dist`: an archive of the programs, for an installation without Rust.

use std::fs;
use std::path::Path;

use crate::sh::{self, Result};
use crate::web;

/// The C library is in the programs, which so run on every Linux, without any other file. A static program does not find `getrandom` of
/// the C library by its name, and the crate `getrandom` would read `/dev/urandom` instead; so it makes the system call itself.
const FLAGS: [&str; 2] = [
    "-Ctarget-feature=+crt-static",
    "--cfg=getrandom_backend=\"linux_getrandom\"",
];

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
    // By a variable for the target, since macros are built for the host and are loaded into the compiler.
    let flags = target.to_uppercase().replace('-', "_");
    build.env(format!("CARGO_TARGET_{flags}_RUSTFLAGS"), FLAGS.join(" "));
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
    }
    run_alone(&place)?;
    add_files(&place)?;
    for program in PROGRAMS {
        let bytes = fs::metadata(place.join(program))?.len();
        let size = bytes as f64 / f64::from(1 << 20);
        sh::say(&format!("{program}: {size:.1} MiB"));
    }
    pack(&dist, &name)
}

/// Adds what is no program: documents, the manual page and completions.
fn add_files(place: &Path) -> Result<()> {
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
    Ok(())
}

/// Packs a directory of `dist`, and prints the checksum.
fn pack(dist: &Path, name: &str) -> Result<()> {
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
    tar.args(["-czf", &archive, name]);
    sh::run(tar.current_dir(dist))?;
    sh::run(sh::command("sha256sum").arg(&archive).current_dir(dist))
}

/// Runs the programs in a root directory that has nothing else: the daemon serves there, and a command gets an error that names
/// what is missing.
fn run_alone(place: &Path) -> Result<()> {
    let root = place.join("empty");
    fs::create_dir(&root)?;
    for program in PROGRAMS {
        fs::copy(place.join(program), root.join(program))?;
    }
    let inside = |program: &str| {
        let mut run = sh::command("unshare");
        run.args(["--map-root-user", "--root"]).arg(&root);
        run.arg(format!("/{program}"));
        run
    };
    for program in PROGRAMS {
        let version = sh::output(inside(program).arg("--version"))?;
        sh::say(&format!("in an empty root directory: {}", version.trim()));
    }
    let url = format!("unix:{}", root.join("daemon.sock").display());
    let mut daemon = inside("sandbox-daemon");
    sh::beside(daemon.args(["--listen", "unix:/daemon.sock"]), || {
        let mut client = sh::command(place.join("sandbox"));
        let Err(refused) = sh::output(client.args(["exec", "--url", &url, "true"])) else {
            return Err("a command has run where there is no shell".into());
        };
        let refused = refused.to_string();
        if refused.contains(NO_SHELL) {
            Ok(())
        } else {
            Err(format!("an error that does not name the shell: {refused}").into())
        }
    })?;
    Ok(fs::remove_dir_all(&root)?)
}

/// The error of a command where there is no shell.
const NO_SHELL: &str = "cannot execute /bin/sh";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_for_an_image_is_packed_with_what_it_copies() {
        let recipe = fs::read_to_string(sh::root().join("docs/Containerfile")).unwrap();
        assert!(FILES.contains(&"docs/Containerfile"));
        let version = format!("sandbox-{}-", env!("CARGO_PKG_VERSION"));
        assert!(recipe.contains(&version), "it names another version");
        let copied = recipe.lines().filter_map(|line| line.strip_prefix("COPY "));
        let copied: Vec<_> = copied.map(|line| line.split(' ').next().unwrap()).collect();
        assert!(!copied.is_empty());
        for file in copied {
            assert!(PROGRAMS.contains(&file), "{file} is not packed");
        }
    }

    #[test]
    fn every_file_is_there() {
        for file in FILES {
            assert!(sh::root().join(file).is_file(), "{file}");
        }
    }
}
