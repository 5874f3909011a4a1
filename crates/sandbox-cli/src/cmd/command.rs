//! A command of a session: its log, and its input.

use sandbox_process::{Channel, CommandInfo, LogEvent, LogOptions, SessionCommand, Signal};
use serde_json::{Value, json};

use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::{Interrupts, Step};
use crate::{output, terminal};

pub(super) async fn print(
    command: &SessionCommand,
    options: LogOptions,
    is_json: bool,
) -> Result<Exit, CliError> {
    let interrupts = Interrupts::listen()?;
    if is_json {
        whole(command, options, interrupts).await
    } else {
        show(command, options, interrupts).await
    }
}

pub(super) async fn send(command: &SessionCommand, text: Option<String>) -> Result<(), CliError> {
    match text {
        Some(text) => Ok(command.write_line(text).await?),
        None => feed(command).await,
    }
}

/// Shows a log, to the command's end if it is followed; then the exit code is the command's.
pub(super) async fn show(
    command: &SessionCommand,
    options: LogOptions,
    interrupts: Interrupts,
) -> Result<Exit, CliError> {
    if let Some(exit) = read(command, options, interrupts, event).await? {
        return Ok(exit);
    }
    if !options.follow {
        return Ok(Exit::SUCCESS);
    }
    let info = command.info().await?;
    output::ended(info.exit_code, &info.termination)
}

/// Prints what of a log is for people.
pub(super) fn event(event: LogEvent) -> Result<(), CliError> {
    match event {
        LogEvent::Output { channel, bytes, .. } => output::print(channel, &bytes),
        LogEvent::Gap { length, .. } => output::gap(length),
        _ => Ok(()),
    }
}

/// Prints what a command did as one JSON object, at its end if it is followed.
pub(super) async fn whole(
    command: &SessionCommand,
    options: LogOptions,
    interrupts: Interrupts,
) -> Result<Exit, CliError> {
    let mut whole = Whole::default();
    let take = |event| {
        whole.take(event);
        Ok(())
    };
    if let Some(exit) = read(command, options, interrupts, take).await? {
        return Ok(exit);
    }
    let info = command.info().await?;
    output::line(&whole.describe(&info).to_string())?;
    if !options.follow {
        return Ok(Exit::SUCCESS);
    }
    output::ended(info.exit_code, &info.termination)
}

/// Returns what a command did as a JSON object.
pub(super) async fn describe(
    command: &SessionCommand,
    options: LogOptions,
) -> Result<Value, CliError> {
    let mut whole = Whole::default();
    let mut log = command.follow(options).await?;
    while let Some(event) = log.next().await {
        whole.take(event?);
    }
    Ok(whole.describe(&command.info().await?))
}

/// A log as a whole.
#[derive(Debug, Default)]
struct Whole {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    lost: u64,
}

impl Whole {
    fn take(&mut self, event: LogEvent) {
        match event {
            LogEvent::Output { channel, bytes, .. } => match channel {
                Channel::Stdout => self.stdout.extend_from_slice(&bytes),
                Channel::Stderr => self.stderr.extend_from_slice(&bytes),
            },
            LogEvent::Gap { length, .. } => self.lost += length,
            _ => {}
        }
    }

    fn describe(&self, info: &CommandInfo) -> Value {
        let mut object = json!({
            "cmdId": info.id,
            "exitCode": info.exit_code,
            "termination": output::state(info),
            "stdout": String::from_utf8_lossy(&self.stdout),
            "stderr": String::from_utf8_lossy(&self.stderr),
            "droppedBytes": self.lost,
        });
        if let Some(usage) = &info.usage {
            object["usage"] = output::describe(usage);
        }
        object
    }
}

/// Reads a log, and passes interrupts on to a command that is followed; the code to exit with, if one leaves.
async fn read(
    command: &SessionCommand,
    options: LogOptions,
    mut interrupts: Interrupts,
    mut take: impl FnMut(LogEvent) -> Result<(), CliError>,
) -> Result<Option<Exit>, CliError> {
    let mut log = command.follow(options).await?;
    loop {
        tokio::select! {
            event = log.next() => match event {
                Some(event) => take(event?)?,
                None => return Ok(None),
            },
            step = interrupts.next(), if options.follow => {
                let signal = match step {
                    Step::Forward(signal) => Signal(signal),
                    Step::Leave(exit) => return Ok(Some(exit)),
                };
                if let Err(error) = command.signal(signal).await {
                    output::note(&format!("note: not interrupted: {error}"))?;
                }
            }
        }
    }
}

/// Passes on what comes on standard input, and its end. A command that reads slowly is waited for.
pub(super) async fn feed(command: &SessionCommand) -> Result<(), CliError> {
    let mut stdin = terminal::input();
    while let Some(chunk) = stdin.recv().await {
        command.write(chunk).await?;
    }
    Ok(command.close_stdin().await?)
}
