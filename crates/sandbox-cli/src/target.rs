//! Which sandbox, and what an interrupt does to it.

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;

use sandbox_daemon::Token;
use sandbox_daemon::cli::TOKEN_VARIABLE;
use sandbox_process::Process;
use tokio::runtime::Runtime;

use crate::args::TargetArgs;
use crate::background::Background;
use crate::control;
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::or_interrupted;

/// Runs `work` in the sandbox that `args` name, and ends an embedded one afterwards.
///
/// SIGINT, SIGHUP and SIGTERM end what the embedded sandbox runs; what another daemon runs goes on there.
pub(crate) fn with_process<F>(
    args: TargetArgs,
    token: Option<OsString>,
    python: Option<PathBuf>,
    work: impl FnOnce(Process) -> F,
) -> Result<Exit, CliError>
where
    F: Future<Output = Result<Exit, CliError>>,
{
    with_watched_process(args, token, python, async |process| {
        or_interrupted(work(process), |exit| exit).await
    })
}

/// Runs `work`, which looks after signals itself, in the sandbox that `args` name, and ends an embedded one afterwards.
pub(crate) fn with_watched_process<F>(
    args: TargetArgs,
    token: Option<OsString>,
    python: Option<PathBuf>,
    work: impl FnOnce(Process) -> F,
) -> Result<Exit, CliError>
where
    F: Future<Output = Result<Exit, CliError>>,
{
    runtime()?.block_on(async {
        let process = open(args, token, python).await?;
        let result = work(process.clone()).await;
        process.shutdown().await;
        result
    })
}

/// Runs `work` in the sandbox at `url`, which needs no token.
pub(crate) fn on<F>(url: &str, work: impl FnOnce(Process) -> F) -> Result<Exit, CliError>
where
    F: Future<Output = Result<Exit, CliError>>,
{
    with_process(TargetArgs::at(url), None, None, work)
}

/// Runs `work` against the daemon that `args` name, or else the one in the background, which is started if it is not there.
/// What it makes there stays. `work` looks after signals itself.
pub(crate) fn with_kept<F>(
    mut args: TargetArgs,
    token: Option<OsString>,
    work: impl FnOnce(Process) -> F,
) -> Result<Exit, CliError>
where
    F: Future<Output = Result<Exit, CliError>>,
{
    if args.is_here() {
        let background = Background::of_this_user()?;
        background.ensure()?;
        args.url = Some(background.url());
    }
    with_watched_process(args, token, None, work)
}

pub(crate) fn runtime() -> Result<Runtime, CliError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(CliError::Runtime)
}

fn token(args: &TargetArgs, from_variable: Option<OsString>) -> Result<Option<String>, CliError> {
    if let Some(path) = &args.token_file {
        return Ok(Some(Token::from_file(path)?.into_string()));
    }
    Ok(from_variable.map(|token| token.to_string_lossy().into_owned()))
}

async fn open(
    args: TargetArgs,
    from_variable: Option<OsString>,
    python: Option<PathBuf>,
) -> Result<Process, CliError> {
    if let Some(name) = &args.sandbox {
        return control::process(name).await;
    }
    let token = token(&args, from_variable)?;
    let Some(url) = args.url() else {
        let mut local = Process::local_builder().hide_env(TOKEN_VARIABLE);
        if let Some(python) = python {
            local = local.python(python);
        }
        return Ok(local.start().await?);
    };
    let mut builder = Process::builder(url);
    if let Some(token) = token {
        builder = builder.token(token);
    }
    Ok(builder.build()?)
}
