//! `cargo xtask bench`: what things cost, beside what they cost bare, in the same run.

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

/// Runs the benches whose name begins with one of `wanted`, or all.
pub(crate) fn run(wanted: &[String]) -> Result<()> {
    let is_wanted = |bench: &&Bench| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|prefix| bench.name.starts_with(prefix.as_str()))
    };
    let chosen: Vec<_> = BENCHES.iter().filter(is_wanted).collect();
    if chosen.is_empty() {
        let names: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        return Err(format!("no such bench; there are {}", names.join(", ")).into());
    }
    let needs_python = chosen.iter().any(|bench| bench.has_python);
    let python = match needs_python {
        true => Some(python::plotting().prepare()?),
        false => None,
    };
    for bench in chosen {
        sh::say(&format!("\n==> {}", bench.name));
        let Bench {
            package, target, ..
        } = bench;
        // Not quietly: to build for a bench takes minutes, in which it would seem to hang.
        let mut cargo = sh::cargo(["bench", "--package", package, "--bench", target]);
        if let Some(python) = &python {
            cargo.env("SANDBOX_TEST_PYTHON", python);
        }
        sh::run(&mut cargo)?;
    }
    Ok(())
}
