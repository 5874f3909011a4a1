//! Runs Python programs.
//!
//! The program is written to a private file, so that tracebacks quote its lines and `multiprocessing` finds it, and is
//! run by `boot.py` with the semantics of a plain run. `boot.py` and the chart extractor are passed in a sealed memory
//! file: they have no path that could be deleted or changed in the sandbox. Charts are returned through a separate
//! pipe, which the program's output cannot forge.

use std::sync::{Arc, LazyLock};

use crate::core::Core;
use crate::launch::LaunchSpec;
use crate::run::{Recorded, RunOptions};
use crate::runtimes::PYTHON;
use crate::scripts::python::{BOOT, CHARTS};
use crate::spawner::ChildFd;
use crate::sys;
use crate::warm::{Stage, Warm};

use super::program::{CodeError, Program};
use super::script;

/// Reads `boot.py` from descriptor 4 and runs it outside the program's namespace; `charts.py` follows it there.
static STUB: LazyLock<String> = LazyLock::new(|| {
    let length = BOOT.len();
    format!(
        "exec(compile(__import__('os').pread(4,{length},0),'<sandbox>','exec'),\
         {{'__name__':'_sandbox_boot','charts_offset':{length}}})"
    )
});

pub(super) async fn run(
    core: &Core,
    warm: Option<&Arc<Warm>>,
    program: Program,
    options: RunOptions,
) -> Result<Recorded, CodeError> {
    let mut env = core.environment_with(&options.env)?;
    let executable = core.runtime(&PYTHON, &mut env, options.isolation.as_ref());
    let executable = executable.await?;

    let seed = env.get("PYTHONHASHSEED").unwrap_or_default();
    // Python draws a seed for an empty variable and for `random`, as without the variable.
    let is_seeded = !seed.is_empty() && seed != "random";
    let stage = Stage::of(&program.code, is_seeded);
    let file = script::file(core, &program.code, "py")?;
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
    let launcher = core.launcher();
    // A prestarted server only serves programs with the default environment and directory, and is not isolated.
    let is_usual = options.env.is_empty() && options.cwd.is_none() && options.isolation.is_none();
    let warm = warm.filter(|_| is_usual).zip(stage);
    let program = LaunchSpec {
        path: executable.path,
        argv,
        env,
        extra_fds: vec![ChildFd::Output, ChildFd::Given(Arc::new(support))],
        spawner: warm.map(|(warm, stage)| warm.spawner(stage, launcher.spawner())),
        shown: vec![file.path().to_owned()],
    };
    let outcome = launcher.run(program, &options, file).await?;
    if let Some((warm, stage)) = warm {
        warm.prepare(stage, launcher);
    }
    Ok(outcome)
}
