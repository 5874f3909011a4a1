//! `sandbox follow`: a command that runs on after its soft time limit.

use std::ffi::OsString;

use clap::Args;
use sandbox_process::{BackgroundCommand, LogOptions};

use super::command::event;
use super::session::read_signal;
use crate::args::{FormatArgs, TargetArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupts;
use crate::{exit, output, target};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct FollowArgs {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// Send it this signal first: a name such as TERM, or a number
    #[arg(long, value_name = "SIGNAL")]
    signal: Option<String>,

    /// Skip this many bytes of output, of both channels together
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 0,
        conflicts_with = "json"
    )]
    offset: u64,

    /// The command's id, as `sandbox exec --soft-timeout` printed it
    id: String,
}

/// Shows what the command writes, from its beginning to its end; an interrupt leaves it running.
pub(crate) fn run(args: FollowArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let signal = args.signal.as_deref().map(read_signal).transpose()?;
    target::with_kept(args.target, token, async |process| {
        let mut interrupts = Interrupts::listen()?;
        let command = process.background(&args.id);
        if let Some(signal) = signal {
            command.signal(signal).await?;
        }
        tokio::select! {
            exit = show(&command, args.offset, args.format.json) => exit,
            exit = interrupts.leave() => Ok(exit),
        }
    })
}

async fn show(command: &BackgroundCommand, offset: u64, is_json: bool) -> Result<Exit, CliError> {
    if is_json {
        let outcome = command.wait().await?;
        output::show_json(&outcome, None)?;
        return Ok(Exit::of(&outcome));
    }
    let mut log = command.follow(LogOptions::new().offset(offset)).await?;
    while let Some(next) = log.next().await {
        event(next?)?;
    }
    let info = command.info().await?;
    output::ended(info.exit_code, &info.termination)
}
