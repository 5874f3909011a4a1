//! JavaScript and TypeScript, by Node.js.
//!
//! The program travels in a sealed memory file and is run by `boot.cjs` as a file in the working directory would be:
//! `require` and `import` find what is beside it. Arguments begin at `process.argv[1]`, as the official SDKs have it.

use std::sync::Arc;

use crate::engine::Engine;
use crate::run::{Outcome, RunOptions};
use crate::runtimes::NODE;
use crate::spawner::ChildFd;
use crate::supervise;
use crate::sys;

use super::{CodeError, Program};

const BOOT: &str = include_str!("../../node/boot.cjs");

/// What `boot.cjs` is given.
struct Source {
    /// `c` for a CommonJS module, `m` for an ECMAScript one, `r` for a compiler's report.
    kind: &'static str,
    text: String,
    has_map: bool,
}

/// Runs JavaScript.
pub(super) async fn javascript(
    engine: &Engine,
    program: Program,
    options: RunOptions,
) -> Result<Outcome, CodeError> {
    let source = Source {
        kind: module_kind(is_module(&program.code)),
        text: program.code,
        has_map: false,
    };
    run(engine, source, program.argv, options).await
}

/// Runs TypeScript: its types are not checked. One that cannot be read is told on stderr, with exit code 1.
#[cfg(feature = "typescript")]
pub(super) async fn typescript(
    engine: &Engine,
    program: Program,
    options: RunOptions,
) -> Result<Outcome, CodeError> {
    let code = program.code;
    // Some hundred microseconds for a screenful; a long program must not hold up others.
    let translated = tokio::task::spawn_blocking(move || super::typescript::translate(&code))
        .await
        .map_err(|panic| CodeError::Scratch(std::io::Error::other(panic)))?;
    let source = match translated {
        Ok(translated) => Source {
            kind: module_kind(translated.is_module),
            text: translated.code,
            has_map: true,
        },
        Err(report) => Source {
            kind: "r",
            text: report,
            has_map: false,
        },
    };
    run(engine, source, program.argv, options).await
}

async fn run(
    engine: &Engine,
    source: Source,
    arguments: Vec<String>,
    options: RunOptions,
) -> Result<Outcome, CodeError> {
    let mut env = engine.environment(&options.env)?;
    let runtimes = engine.runtimes();
    let executable = runtimes.find(&NODE, &env, engine.launcher()).await?;
    env.extend(&executable.environment);
    let text = sys::sealed_memory(
        "sandbox-node",
        &[source.kind.as_bytes(), source.text.as_bytes()],
    )
    .map_err(CodeError::Scratch)?;
    let mut argv = vec![executable.path.clone().into()];
    if source.has_map {
        argv.push("--enable-source-maps".into());
    }
    // Behind the two dashes are no options of node's.
    argv.extend(["-e", BOOT, "--"].map(Into::into));
    argv.extend(arguments.into_iter().map(Into::into));
    let program = supervise::Program {
        path: executable.path,
        argv,
        env,
        extra_fds: vec![ChildFd::Given(Arc::new(text))],
        door: None,
    };
    Ok(engine.launcher().run(program, &options, ()).await?)
}

fn module_kind(is_module: bool) -> &'static str {
    if is_module { "m" } else { "c" }
}

#[cfg(feature = "typescript")]
fn is_module(code: &str) -> bool {
    super::typescript::is_module(code)
}

/// Without a parser only a statement at the beginning of a line tells.
#[cfg(not(feature = "typescript"))]
fn is_module(code: &str) -> bool {
    let begins = |line: &str| {
        ["import ", "import{", "export ", "export{", "await "]
            .iter()
            .any(|word| line.starts_with(word))
    };
    code.lines().any(begins)
}
