//! `sandbox exec`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sandbox_daemon::cli::LevelArg;
use sandbox_process::{
    Bytes, Error, ErrorKind, Exec, ExecEvent, Isolation, Process, PtySize, Running, Signal,
    Termination,
};
use tokio::io::AsyncWriteExt;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{IsolationArgs, KeyArgs, LimitArgs, ResourceArgs, TargetArgs, duration, limit};
use crate::attach::{self, Detached, Remote};
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::interrupt::{Interrupts, Step};
use crate::{output, target, terminal, words};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) resources: ResourceArgs,

    /// Run it in this directory
    #[arg(long, short = 'w', visible_alias = "workdir", value_name = "DIR")]
    pub(crate) cwd: Option<String>,

    /// Forward standard input to the command (default: empty input)
    #[arg(
        long = "stdin",
        visible_alias = "interactive",
        short = 'i',
        conflicts_with = "json"
    )]
    pub(crate) stdin: bool,

    /// Run it on a terminal; with -i your keys are typed there, and standard input must be a terminal
    #[arg(long, short, conflicts_with = "json")]
    pub(crate) tty: bool,

    /// Stop waiting for it after this long: it runs on, and `sandbox follow` shows the rest; without --url and -s in the background
    /// daemon
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration,
        conflicts_with_all = ["stdin", "tty"]
    )]
    pub(crate) soft_timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,

    #[command(flatten)]
    pub(crate) keys: KeyArgs,

    /// One word is the text that the shell evaluates; of several, each is an argument and taken verbatim; - alone reads the
    /// text from standard input. The shell is the sandbox's: zsh or bash if /etc/shells lists it, else $SHELL, else sh;
    /// `sandbox doctor` names it
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub(crate) command: Vec<String>,
}

/// Shows what the command writes as it comes, where the daemon can send it so; else at its end.
pub(crate) fn run(args: ExecArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let ExecArgs {
        target,
        limits,
        resources,
        cwd,
        stdin,
        tty,
        soft_timeout,
        isolation,
        keys,
        command,
    } = args;
    if tty && stdin && !terminal::is_input() {
        return Err(CliError::InputNoTerminal);
    }
    let hint = words::hint(&command);
    let command = words::read(&command)?;
    // The daemon in the background is not in this directory.
    let here = if soft_timeout.is_some() && target.is_here() {
        Some(std::env::current_dir().map_err(CliError::Runtime)?)
    } else {
        None
    };
    let cwd = match (&here, cwd) {
        (Some(here), Some(cwd)) => Some(here.join(cwd)),
        (here, cwd) => cwd.map(PathBuf::from).or_else(|| here.clone()),
    };
    let work = async |process: Process| {
        let mut exec = process.exec(command);
        if tty && let Ok(term) = std::env::var("TERM") {
            // Programs draw for the user's terminal.
            exec = exec.env("TERM", term);
        }
        exec = limit!(exec.envs(limits.env), resources);
        let level = isolation.level;
        if let Some(mut isolation) = isolation.isolation() {
            if let Some(here) = &here {
                isolation = only_here(&process, (isolation, level), here).await?;
            }
            exec = exec.isolation(isolation);
        }
        if let Some(cwd) = cwd {
            exec = exec.cwd(cwd);
        }
        if let Some(timeout) = limits.timeout {
            exec = exec.timeout(timeout);
        }
        // From here on: once it runs, an interrupt is the command's.
        let interrupts = Interrupts::listen()?;
        if let Some(limit) = soft_timeout {
            let exec = exec.soft_timeout(limit);
            return whole(exec, interrupts, limits.format.json).await;
        }
        if limits.format.json {
            return whole(exec, interrupts, true).await;
        }
        streamed(exec, (tty, stdin), keys, interrupts).await
    };
    let exit = match soft_timeout {
        Some(_) => target::with_kept(target, token, work),
        None => target::with_watched_process(target, token, None, work),
    }?;
    if let (Exit::NO_PROGRAM, Some(hint)) = (exit, hint) {
        output::note(&hint)?;
    }
    Ok(exit)
}

/// Starts a command, and shows what it writes as it comes.
async fn streamed(
    exec: Exec,
    (tty, stdin): (bool, bool),
    keys: KeyArgs,
    interrupts: Interrupts,
) -> Result<Exit, CliError> {
    let spawn = exec.clone().spawn();
    let spawn = if stdin { spawn.piped_stdin() } else { spawn };
    if tty {
        let running = match spawn.tty(terminal::pty_size()).await {
            Ok(running) => running,
            Err(error) => return not_started(error),
        };
        return if stdin {
            attached(running, keys).await
        } else {
            follow(running, interrupts).await
        };
    }
    match spawn.await {
        Ok(running) => follow(running, interrupts).await,
        // Other daemons cannot, and report what cannot be started as a result. Nothing has run yet.
        Err(error) if error.is_unsupported() && !stdin => whole(exec, interrupts, false).await,
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            whole(exec, interrupts, false).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Lets an isolated command use this directory in the place of the daemon's own, as with a daemon that is started here.
async fn only_here(
    process: &Process,
    (isolation, level): (Isolation, Option<LevelArg>),
    here: &Path,
) -> Result<Isolation, CliError> {
    let own = process.api().work_dir().await?;
    if here == Path::new(&own) {
        return Ok(isolation);
    }
    let here = here.to_str().ok_or(CliError::Usage(
        "the path of this directory is not UTF-8; name another with --cwd and --bind-write",
    ))?;
    // The level `landlock` has no scratch directories.
    let isolation = match level {
        Some(LevelArg::Landlock) => isolation.hide(own),
        _ => isolation.scratch(own),
    };
    Ok(isolation.write(here))
}

/// Attaches the user's terminal to that of the command.
async fn attached(running: Running, keys: KeyArgs) -> Result<Exit, CliError> {
    let mut terminal = OnTerminal { running, end: None };
    match attach::attach(&mut terminal, keys.detach_keys).await? {
        Detached::Ended => match terminal.end {
            Some(end) => output::ended(end.exit_code(), &end),
            None => Ok(Exit::FAILED),
        },
        Detached::ByKeys => {
            output::note("\ndetached; the command runs on unless its sandbox ends")?;
            Ok(Exit::SUCCESS)
        }
        Detached::BySignal(exit) => Ok(exit),
    }
}

/// A command on a terminal.
struct OnTerminal {
    running: Running,
    end: Option<Termination>,
}

impl Remote for OnTerminal {
    async fn write(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.running.control().write(bytes.into()).await
    }

    async fn resize(&self, size: PtySize) -> Result<(), Error> {
        self.running.resize(size).await
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.running.next().await.transpose()? {
                Some(ExecEvent::Output { bytes, .. }) => return Ok(Some(bytes)),
                // CAN ends a sequence that was cut.
                Some(ExecEvent::Gap { length, .. }) => {
                    let text =
                        format!("\x18\x1b[m\r\n[{length} bytes of output were discarded]\r\n");
                    return Ok(Some(text.into()));
                }
                Some(ExecEvent::Ended { termination, .. }) => self.end = Some(termination),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }
}

/// Reports a command that could not be started as its result.
fn not_started(error: Error) -> Result<Exit, CliError> {
    if error.code() != Some("UNPROCESSABLE_ENTITY") {
        return Err(error.into());
    }
    let reason = error.to_string();
    output::ended(None, &Termination::NotStarted { reason })
}

/// Waits for the end, which an interrupt does as well.
async fn whole(exec: Exec, mut interrupts: Interrupts, is_json: bool) -> Result<Exit, CliError> {
    let outcome = tokio::select! {
        outcome = exec => outcome?,
        exit = interrupts.leave() => return Ok(exit),
    };
    if is_json {
        output::show_json(&outcome, None)?;
    } else {
        output::show(&outcome)?;
    }
    Ok(Exit::of(&outcome))
}

async fn follow(mut running: Running, mut interrupts: Interrupts) -> Result<Exit, CliError> {
    let control = running.control();
    let stdin = running.stdin();
    let fed = async {
        if let Some(mut stdin) = stdin {
            let mut typed = terminal::input();
            while let Some(chunk) = typed.recv().await {
                // Waits for a command that reads slowly. One that has ended wants no more, which its end shows.
                let written = stdin.write_all(&chunk).await;
                if written.is_err() || stdin.flush().await.is_err() {
                    break;
                }
            }
            let _ = stdin.shutdown().await;
        }
        std::future::pending().await
    };
    let mut fed = std::pin::pin!(fed);
    let mut resized = signal(SignalKind::window_change()).map_err(CliError::Runtime)?;
    loop {
        tokio::select! {
            // One on pipes refuses it, which changes nothing.
            _ = resized.recv() => drop(control.resize(terminal::pty_size()).await),
            event = running.next() => match event {
                Some(Ok(ExecEvent::Output { channel, bytes, .. })) => output::print(channel, &bytes)?,
                Some(Ok(ExecEvent::Gap { length, .. })) => output::gap(length)?,
                Some(Ok(ExecEvent::Ended { termination, .. })) => {
                    return output::ended(termination.exit_code(), &termination);
                }
                // Reported of what came too late: it has ended, or closed its input.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(Exit::FAILED),
            },
            step = interrupts.next() => match step {
                Step::Forward(number) => {
                    let control = Arc::clone(&control);
                    // One that has ended needs none. It may have to wait for input to be sent, and nothing else waits for it.
                    tokio::spawn(async move { control.signal(Signal(number)).await });
                }
                Step::Leave(exit) => return Ok(exit),
            },
            never = fed.as_mut() => never,
        }
    }
}
