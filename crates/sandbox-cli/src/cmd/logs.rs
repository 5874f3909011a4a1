//! `sandbox logs`: what the commands of a sandbox's sessions have written.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use clap::Args;
use clap_complete::ArgValueCandidates;
use sandbox_process::{
    CommandInfo, Error, LogEvent, LogOptions, LogStream, Process, SessionCommand,
};
use serde_json::Value;

use super::command::{describe, event};
use super::session::one_line;
use crate::args::{FormatArgs, TargetArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::{complete, exit, output, target};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// Continue with the commands that run now, until they end; Ctrl-C leaves them running
    #[arg(long, short, conflicts_with = "json")]
    follow: bool,

    /// The sandbox, by its name or id
    #[arg(add = ArgValueCandidates::new(complete::names))]
    name: String,

    /// Only the commands of this session
    session: Option<String>,

    /// Only this command of the session: its id, or its beginning
    command: Option<String>,
}

/// A command, and what is known of it.
struct Logged {
    session: String,
    info: CommandInfo,
    command: SessionCommand,
}

/// Prints the logs of the commands, the oldest first; before each of several, a line on standard error says whose it is.
pub(crate) fn run(args: LogsArgs) -> Result<Exit, CliError> {
    let target = TargetArgs {
        sandbox: Some(args.name.clone()),
        url: None,
        token_file: None,
    };
    // Not with the interrupts of `session logs`, which are the command's: as with other logs, the reader leaves.
    target::with_process(target, None, None, async |process| {
        let logged = args.select(&process).await?;
        if args.format.json {
            let mut all = Vec::new();
            for one in &logged {
                let mut object = describe(&one.command, snapshot()).await?;
                object["sessionId"] = one.session.clone().into();
                object["command"] = one.info.command.clone().into();
                all.push(object);
            }
            output::line(&Value::from(all).to_string())?;
            return Ok(Exit::SUCCESS);
        }
        if logged.is_empty() {
            output::note("note: no command of a session has run; `sandbox exec` leaves no log")?;
        }
        print(&logged, args.follow).await?;
        Ok(Exit::SUCCESS)
    })
}

impl LogsArgs {
    /// Returns the commands that are asked for.
    async fn select(&self, process: &Process) -> Result<Vec<Logged>, CliError> {
        let sessions = match &self.session {
            Some(id) => vec![process.session(id).info().await?],
            None => process.list_sessions().await?,
        };
        let mut logged = Vec::new();
        for session in sessions {
            let handle = process.session(&session.session_id);
            for info in session.commands {
                let beginning = self.command.as_deref().unwrap_or_default();
                if info.id.starts_with(beginning) {
                    logged.push(Logged {
                        session: session.session_id.clone(),
                        command: handle.command(&info.id),
                        info,
                    });
                }
            }
        }
        match (&self.command, logged.is_empty()) {
            (Some(_), true) => Err(CliError::Usage(
                "no command of the session has an id that begins so",
            )),
            _ => Ok(logged),
        }
    }
}

fn snapshot() -> LogOptions {
    LogOptions::new().snapshot()
}

/// Prints logs one after another, and then, if they are followed, those of the commands that run as they are written.
async fn print(logged: &[Logged], is_followed: bool) -> Result<(), CliError> {
    let heading = |one: &Logged| match logged.len() {
        1 => Ok(()),
        _ => output::note(&format!(
            "==> {} {}: {} <==",
            output::printable(&one.session),
            output::printable(&one.info.id),
            one_line(&one.info.command)
        )),
    };
    let mut running = Vec::new();
    for one in logged {
        if is_followed && one.info.is_running() {
            running.push((one, one.command.follow(LogOptions::new()).await?));
            continue;
        }
        heading(one)?;
        let mut log = one.command.follow(snapshot()).await?;
        while let Some(next) = log.next().await {
            event(next?)?;
        }
    }
    let mut shown = None;
    while let Some((index, next)) = next_of(&mut running, shown).await {
        if shown != Some(index) {
            heading(running[index].0)?;
            shown = Some(index);
        }
        event(next?)?;
    }
    Ok(())
}

/// Returns the next event of any of the logs, with its place: in turns, so that one that never rests holds up no other. `None` when all
/// have ended.
async fn next_of<T>(
    logs: &mut [(T, LogStream)],
    last: Option<usize>,
) -> Option<(usize, Result<LogEvent, Error>)> {
    let first = last.map_or(0, |last| last + 1);
    let count = logs.len();
    poll_fn(|context| {
        let mut is_open = false;
        for index in (first..first + count).map(|index| index % count) {
            // No event is lost with a future that is dropped.
            match pin!(logs[index].1.next()).poll(context) {
                Poll::Ready(Some(next)) => return Poll::Ready(Some((index, next))),
                Poll::Ready(None) => {}
                Poll::Pending => is_open = true,
            }
        }
        if is_open {
            Poll::Pending
        } else {
            Poll::Ready(None)
        }
    })
    .await
}
