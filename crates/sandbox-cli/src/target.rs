//! Which sandbox, and what an interrupt does to it.

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;

use sandbox_daemon::Token;
use sandbox_daemon::cli::TOKEN_VARIABLE;
use sandbox_process::Process;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::TargetArgs;
use crate::error::CliError;
use crate::exit::Exit;

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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    runtime.block_on(async {
        let process = open(args, token, python).await?;
        let result = tokio::select! {
            result = work(process.clone()) => result,
            exit = interrupted() => exit.map_err(CliError::Runtime),
        };
        process.shutdown().await;
        result
    })
}

/// Runs `work` in the sandbox at `url`, which needs no token.
pub(crate) fn on<F>(url: &str, work: impl FnOnce(Process) -> F) -> Result<Exit, CliError>
where
    F: Future<Output = Result<Exit, CliError>>,
{
    let args = TargetArgs {
        url: Some(url.to_owned()),
        token_file: None,
    };
    with_process(args, None, None, work)
}

/// Resolves when the keyboard, the terminal's end or another program ends this one.
async fn interrupted() -> std::io::Result<Exit> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let number = tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = hangup.recv() => SignalKind::hangup(),
        _ = terminate.recv() => SignalKind::terminate(),
    };
    Ok(Exit::by_signal(number.as_raw_value()))
}

async fn open(
    args: TargetArgs,
    from_variable: Option<OsString>,
    python: Option<PathBuf>,
) -> Result<Process, CliError> {
    let Some(url) = args.url else {
        let mut local = Process::local_builder().hide_env(TOKEN_VARIABLE);
        if let Some(python) = python {
            local = local.python(python);
        }
        return Ok(local.start().await?);
    };
    let mut builder = Process::builder(url);
    if let Some(path) = &args.token_file {
        builder = builder.token(Token::from_file(path)?.into_string());
    } else if let Some(token) = from_variable {
        builder = builder.token(token.to_string_lossy());
    }
    Ok(builder.build()?)
}
