//! `cargo xtask bench`: what things cost, beside what they cost bare, in the same run.

use std::path::PathBuf;
use std::process::Command;

use crate::python;
use crate::sh::{self, Result};

/// A bench of a package.
struct Bench {
    /// What it is called here.
    name: &'static str,
    package: &'static str,
    /// What cargo calls it.
    target: &'static str,
    /// Whether it runs Python programs, which may draw.
    has_python: bool,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "carriers",
        package: "sandbox-tests",
        target: "carriers",
        has_python: false,
    },
    Bench {
        name: "charts",
        package: "sandbox-charts",
        target: "charts",
        has_python: false,
    },
    Bench {
        name: "daemon",
        package: "sandbox-tests",
        target: "daemon",
        has_python: true,
    },
    Bench {
        name: "exec",
        package: "sandbox-tests",
        target: "exec",
        has_python: true,
    },
    Bench {
        name: "interpreter",
        package: "sandbox-engine",
        target: "interpreter",
        has_python: true,
    },
    Bench {
        name: "isolation",
        package: "sandbox-engine",
        target: "isolation",
        has_python: false,
    },
    Bench {
        name: "logcodec",
        package: "sandbox-logcodec",
        target: "codec",
        has_python: false,
    },
    Bench {
        name: "memory",
        package: "sandbox-daemon",
        target: "memory",
        has_python: false,
    },
    Bench {
        name: "sessions",
        package: "sandbox-engine",
        target: "sessions",
        has_python: false,
    },
    Bench {
        name: "terminals",
        package: "sandbox-engine",
        target: "terminals",
        has_python: false,
    },
];

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Beginnings of names of benches; empty for all.
    pub(crate) names: Vec<String>,
    pub(crate) form: Form,
    /// The URL of a daemon that is measured in the place of this repository's.
    pub(crate) against: Option<String>,
    /// The file with its token.
    pub(crate) token_file: Option<PathBuf>,
}

/// How the bench `daemon` reports its rows. The others have their own tables.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    #[default]
    Text,
    Json,
    /// As text, and as the page that the repository has.
    Page,
}

/// Runs the benches that are wanted.
pub(crate) fn run(wanted: &Wanted) -> Result<()> {
    let mut names = wanted.names.clone();
    if wanted.form != Form::Text || wanted.against.is_some() {
        if !names.iter().all(|name| name == TABLE) {
            return Err(format!("these options are for the bench {TABLE}").into());
        }
        names = vec![TABLE.to_owned()];
    }
    let is_wanted = |bench: &&Bench| {
        names.is_empty() || names.iter().any(|prefix| bench.name.starts_with(prefix))
    };
    let chosen: Vec<_> = BENCHES.iter().filter(is_wanted).collect();
    if chosen.is_empty() {
        let names: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        return Err(format!("no such bench; there are {}", names.join(", ")).into());
    }
    let needs_python = chosen.iter().any(|bench| bench.has_python);
    let python = if needs_python {
        Some(python::plotting().prepare()?)
    } else {
        None
    };
    for bench in chosen {
        // What a program reads has no other lines.
        if wanted.form != Form::Json {
            sh::say(&format!("\n==> {}", bench.name));
        }
        let Bench {
            package, target, ..
        } = bench;
        // Not quietly: to build for a bench takes minutes, in which it would seem to hang.
        let mut cargo = sh::cargo(["bench", "--package", package, "--bench", target]);
        if let Some(python) = &python {
            cargo.env("SANDBOX_TEST_PYTHON", python);
        }
        if bench.name == TABLE {
            describe(wanted, &mut cargo)?;
        }
        sh::run(&mut cargo)?;
    }
    Ok(())
}

/// Passes what is wanted to the bench `daemon`, by variables: its arguments are cargo's.
fn describe(wanted: &Wanted, cargo: &mut Command) -> Result<()> {
    match wanted.form {
        Form::Text => {}
        Form::Json => {
            cargo.env("SANDBOX_BENCH_FORMAT", "json");
        }
        Form::Page => {
            cargo.env("SANDBOX_BENCH_FORMAT", "page");
            cargo.env("SANDBOX_BENCH_ROOT", sh::root());
        }
    }
    if let Some(url) = &wanted.against {
        cargo.env("SANDBOX_BENCH_AGAINST", url);
    }
    if let Some(path) = &wanted.token_file {
        let token = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        cargo.env("SANDBOX_BENCH_TOKEN", token.trim());
    }
    Ok(())
}

/// The bench with a row for each operation of a daemon.
const TABLE: &str = "daemon";
