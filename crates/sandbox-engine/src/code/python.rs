//! Python.
//!
//! The program is written to a private file, so that tracebacks quote its lines and `multiprocessing` finds it, and is
//! run by `boot.py` with the semantics of a plain run. `boot.py` and the chart extractor travel in a sealed memory
//! file: no path of theirs can be deleted or changed in the sandbox. Charts come back through a pipe of their own,
//! which nothing that the program prints can forge.

use std::sync::{Arc, LazyLock};

use crate::engine::Engine;
use crate::run::{Recorded, RunOptions};
use crate::runtimes::PYTHON;
use crate::spawner::ChildFd;
use crate::supervise;
use crate::sys;
use crate::warm::Stage;

use super::{CodeError, Program, script};

pub(crate) const BOOT: &str = include_str!("../../python/boot.py");
const CHARTS: &str = include_str!("../../python/charts.py");

/// Reads `boot.py` from descriptor 4 and runs it outside the program's namespace; `charts.py` follows it there.
static STUB: LazyLock<String> = LazyLock::new(|| {
    let length = BOOT.len();
    format!(
        "exec(compile(__import__('os').pread(4,{length},0),'<sandbox>','exec'),\
         {{'__name__':'_sandbox_boot','charts_offset':{length}}})"
    )
});

pub(super) async fn run(
    engine: &Engine,
    program: Program,
    options: RunOptions,
) -> Result<Recorded, CodeError> {
    let mut env = engine.environment(&options.env)?;
    let executable = engine
        .runtimes()
        .find(&PYTHON, &env, engine.launcher())
        .await?;
    env.extend(&executable.environment);

    let seed = env.get("PYTHONHASHSEED").unwrap_or_default();
    let is_seeded = !seed.is_empty() && seed != "random";
    let stage = Stage::of(&program.code, is_seeded);
    let file = script::file(engine, &program.code, "py")?;
    let support = sys::sealed_memory("sandbox-python", &[BOOT.as_bytes(), CHARTS.as_bytes()])
        .map_err(CodeError::Scratch)?;
    let mut argv = vec![
        executable.path.clone().into(),
        "-u".into(),
        "-c".into(),
        STUB.as_str().into(),
        file.path().into(),
    ];
    argv.extend(program.argv.into_iter().map(Into::into));
    let launcher = engine.launcher();
    // A server is for programs that are like each other.
    let is_usual = options.env.is_empty() && options.cwd.is_none();
    let warm = engine.warm().filter(|_| is_usual).zip(stage);
    let program = supervise::Program {
        path: executable.path,
        argv,
        env,
        extra_fds: vec![ChildFd::Output, ChildFd::Given(Arc::new(support))],
        door: warm.map(|(warm, stage)| warm.door(stage, launcher.spawner_handle())),
    };
    let outcome = launcher.run(program, &options, file).await?;
    if let Some((warm, stage)) = warm {
        warm.prepare(stage, launcher);
    }
    Ok(outcome)
}
