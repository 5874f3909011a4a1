//! `sandbox session`: persistent shell sessions, and the logs of their commands.

use std::ffi::OsString;
use std::path::Path;

use clap::{Args, Subcommand};
use sandbox_process::{
    CommandInfo, Isolation, LogOptions, Process, Session, SessionCommand, SessionInfo, Signal,
};
use sandbox_wire::shell;
use serde_json::{Value, json};

use crate::args::{FormatArgs, IsolationArgs, LimitArgs, ResourceArgs, TargetArgs, limit};
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupts;
use crate::{exit, output, target, words};

use super::command::{feed, print, send, show, whole};

#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    #[command(flatten)]
    target: TargetArgs,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a session; its shell starts in this directory if the sandbox is this machine
    Create {
        #[command(flatten)]
        format: FormatArgs,
        #[command(flatten)]
        resources: ResourceArgs,
        #[command(flatten)]
        isolation: IsolationArgs,
        /// The session's id [default: a random one, which is printed]
        session: Option<String>,
    },
    /// Run a command in a session's shell, after those before it, and show its output as it is written
    Exec(ExecArgs),
    /// Show the log of a command
    Logs {
        #[command(flatten)]
        format: FormatArgs,
        /// The session's id
        session: String,
        /// The command's id, or its beginning [default: the last command]
        command: Option<String>,
        /// Continue until the command ends
        #[arg(long, short)]
        follow: bool,
        /// Skip this many bytes of output, of both channels together
        #[arg(long, value_name = "BYTES", default_value_t = 0)]
        offset: u64,
    },
    /// Send input to a running command: the text as a line, or else standard input up to its end
    Input {
        #[command(flatten)]
        format: FormatArgs,
        /// The session's id
        session: String,
        /// The command's id, or its beginning
        command: String,
        /// A line of input
        text: Option<String>,
    },
    /// Signal all processes of a running command
    Signal {
        #[command(flatten)]
        format: FormatArgs,
        /// The session's id
        session: String,
        /// The command's id, or its beginning
        command: String,
        /// The signal: a name such as TERM, or a number
        signal: String,
    },
    /// List the sessions, and the commands of one
    #[command(visible_alias = "ls")]
    List {
        /// A session's id
        session: Option<String>,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Delete sessions, and kill everything that runs in them
    #[command(visible_alias = "delete")]
    Rm {
        #[command(flatten)]
        format: FormatArgs,
        /// The sessions' ids
        #[arg(required = true, value_name = "SESSION")]
        sessions: Vec<String>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
struct ExecArgs {
    #[command(flatten)]
    limits: LimitArgs,

    /// Run it in this directory, apart from the session
    #[arg(long, short = 'w', visible_alias = "workdir", value_name = "DIR")]
    cwd: Option<String>,

    /// Run it as this user, apart from the session
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Print the command's id and do not wait
    #[arg(long, short, conflicts_with = "stdin")]
    detach: bool,

    /// Forward standard input to the command (default: empty input)
    #[arg(long = "stdin", short = 'i')]
    stdin: bool,

    /// The session's id
    session: String,

    /// One word is the text that the shell evaluates; of several, each is an argument and taken verbatim; - alone reads the
    /// text from standard input
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
}

impl SessionArgs {
    /// Returns whether the exit code is that of a command.
    pub(crate) fn runs_code(&self) -> bool {
        matches!(self.verb, Verb::Exec(_) | Verb::Logs { follow: true, .. })
    }

    pub(crate) fn is_json(&self) -> bool {
        match &self.verb {
            Verb::Exec(args) => args.limits.format.json,
            Verb::Create { format, .. }
            | Verb::Logs { format, .. }
            | Verb::Input { format, .. }
            | Verb::Signal { format, .. }
            | Verb::List { format, .. }
            | Verb::Rm { format, .. } => format.json,
        }
    }
}

pub(crate) fn run(args: SessionArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let SessionArgs { target, verb } = args;
    let is_here = target.is_here();
    target::with_kept(target, token, async |process| match verb {
        Verb::Create {
            format,
            resources,
            isolation,
            session,
        } => {
            let id = session.clone().unwrap_or_else(super::random_id);
            create(&process, &id, resources, isolation.isolation(), is_here).await?;
            if session.is_some() || format.json {
                output::done(format.json, &json!({ "sessionId": id }))?
            } else {
                output::line(&id)?
            }
            Ok(Exit::SUCCESS)
        }
        Verb::Exec(args) => exec(&process, args).await,
        Verb::Logs {
            format,
            session,
            command,
            follow,
            offset,
        } => {
            let options = LogOptions::new().offset(offset);
            let options = if follow { options } else { options.snapshot() };
            let command = find(&process, &session, command).await?;
            print(&command, options, format.json).await
        }
        Verb::Input {
            format,
            session,
            command,
            text,
        } => {
            let command = find(&process, &session, Some(command)).await?;
            send(&command, text).await?;
            output::done(format.json, &json!({ "cmdId": command.id() }))?;
            Ok(Exit::SUCCESS)
        }
        Verb::Signal {
            format,
            session,
            command,
            signal,
        } => {
            let command = find(&process, &session, Some(command)).await?;
            command.signal(read_signal(&signal)?).await?;
            output::done(
                format.json,
                &json!({ "cmdId": command.id(), "signal": signal }),
            )?;
            Ok(Exit::SUCCESS)
        }
        Verb::List { format, session } => list(&process, session.as_deref(), format.json).await,
        Verb::Rm { format, sessions } => {
            for session in &sessions {
                process.session(session).delete().await?;
            }
            output::done(format.json, &json!({ "removed": sessions }))?;
            Ok(Exit::SUCCESS)
        }
    })
}

async fn create(
    process: &Process,
    session: &str,
    resources: ResourceArgs,
    isolation: Option<Isolation>,
    is_here: bool,
) -> Result<(), CliError> {
    let mut create = limit!(process.create_session(session), resources);
    if let Some(isolation) = isolation {
        create = create.isolation(isolation);
    }
    let session = create.await?;
    let here = std::env::current_dir().ok().filter(|_| is_here);
    if let Some(here) = here.as_deref().and_then(Path::to_str) {
        let command = format!("cd -- {}", shell::quote_if_needed(here));
        session.run(command).await?;
    }
    Ok(())
}

/// Returns a command of a session by its id or the beginning of it, or else the last one.
async fn find(
    process: &Process,
    session: &str,
    command: Option<String>,
) -> Result<SessionCommand, CliError> {
    let session = process.session(session);
    let commands = session.info().await?.commands;
    let Some(named) = command else {
        let last = commands
            .last()
            .ok_or(CliError::Usage("the session has run no command"))?;
        return Ok(session.command(&last.id));
    };
    let beginning = |command: &&CommandInfo| command.id.starts_with(&named);
    let mut alike = commands.iter().filter(beginning);
    match (alike.next(), alike.next()) {
        (Some(only), None) => Ok(session.command(&only.id)),
        // One that is not listed any more, or with the very same id.
        (None, _) => Ok(session.command(named)),
        (Some(_), Some(_)) if commands.iter().any(|command| command.id == named) => {
            Ok(session.command(named))
        }
        _ => Err(CliError::Usage("several commands have ids that begin so")),
    }
}

/// Reports on stderr that a command waits for others of its session, which run one after another.
async fn report_queue(session: &Session, command: &SessionCommand) -> Result<(), CliError> {
    let Ok(info) = session.info().await else {
        return Ok(());
    };
    let before = info
        .commands
        .iter()
        .take_while(|other| other.id != command.id());
    match before.filter(|other| other.is_running()).count() {
        0 => Ok(()),
        count => output::note(&format!(
            "note: waiting for {count} earlier command(s) of this session to end"
        )),
    }
}

/// Reports on stderr that a command has ended its session with it.
async fn report_end(session: &Session) -> Result<(), CliError> {
    match session.info().await {
        Ok(SessionInfo {
            termination: Some(_),
            ..
        }) => output::note(&format!(
            "note: the session's shell has ended with this command; `sandbox session rm {}` removes the session",
            shell::quote_if_needed(session.id())
        )),
        _ => Ok(()),
    }
}

async fn exec(process: &Process, args: ExecArgs) -> Result<Exit, CliError> {
    let ExecArgs {
        limits,
        session,
        command,
        ..
    } = args;
    let hint = words::hint(&command);
    let command = words::read(&command)?;
    // Started rather than run, so that its output is shown as it is written, and it can be interrupted.
    let session = process.session(&session);
    let mut spawn = session.spawn(command).envs(limits.env);
    spawn = spawn.suppress_input_echo();
    if let Some(cwd) = args.cwd {
        spawn = spawn.cwd(cwd);
    }
    if let Some(user) = args.user {
        spawn = spawn.user(user);
    }
    if let Some(limit) = limits.timeout {
        spawn = spawn.timeout(limit);
    }
    // From here on: once it runs, an interrupt is the command's.
    let interrupts = Interrupts::listen()?;
    let command = spawn.await?;
    let is_json = limits.format.json;
    if args.detach {
        if is_json {
            output::line(&json!({ "cmdId": command.id() }).to_string())?
        } else {
            output::line(command.id())?
        }
        return Ok(Exit::SUCCESS);
    }
    if !args.stdin {
        // A command that has ended already takes none.
        let _ = command.close_stdin().await;
    }
    let shown = async {
        if is_json {
            return whole(&command, LogOptions::new(), interrupts).await;
        }
        report_queue(&session, &command).await?;
        let exit = show(&command, LogOptions::new(), interrupts).await?;
        if let (Exit::NO_PROGRAM, Some(hint)) = (exit, &hint) {
            output::note(hint)?;
        }
        report_end(&session).await?;
        Ok(exit)
    };
    let fed = async {
        if args.stdin && feed(&command).await.is_err() {
            // It has ended, which the log shows.
        }
        std::future::pending().await
    };
    tokio::select! {
        exit = shown => exit,
        exit = fed => exit,
    }
}

async fn list(process: &Process, session: Option<&str>, is_json: bool) -> Result<Exit, CliError> {
    if let Some(session) = session {
        let session = process.session(session).info().await?;
        if is_json {
            output::line(&to_json(&session).to_string())?;
            return Ok(Exit::SUCCESS);
        }
        let rows = session.commands.iter().map(|command| {
            let state = match command.exit_code {
                Some(code) => format!("exit {code}"),
                None => output::state(command).to_owned(),
            };
            [command.id.clone(), state, one_line(&command.command)]
        });
        output::table(["COMMAND", "STATE", "TEXT"], rows)?;
        return Ok(Exit::SUCCESS);
    }
    let sessions = process.list_sessions().await?;
    if is_json {
        let sessions: Value = sessions.iter().map(to_json).collect();
        output::line(&sessions.to_string())?;
        return Ok(Exit::SUCCESS);
    }
    let rows = sessions.iter().map(|session| {
        let running = session
            .commands
            .iter()
            .filter(|command| command.is_running());
        let all = session.commands.len() as u64 + session.forgotten_commands;
        let state = match &session.termination {
            Some(end) => format!("ended ({})", output::kind(end).0),
            None => "active".to_owned(),
        };
        [
            session.session_id.clone(),
            state,
            all.to_string(),
            running.count().to_string(),
        ]
    });
    output::table(["SESSION", "STATE", "COMMANDS", "RUNNING"], rows)?;
    Ok(Exit::SUCCESS)
}

fn to_json(session: &SessionInfo) -> Value {
    let command = |command: &CommandInfo| {
        json!({
            "id": command.id,
            "command": command.command,
            "exitCode": command.exit_code,
            "termination": output::state(command),
            "usage": command.usage.as_ref().map(output::describe),
        })
    };
    json!({
        "sessionId": session.session_id,
        "termination": session.termination.as_ref().map(|end| output::kind(end).0),
        "forgottenCommands": session.forgotten_commands,
        "commands": session.commands.iter().map(command).collect::<Value>(),
    })
}

/// Reads a signal's name or number.
pub(super) fn read_signal(text: &str) -> Result<Signal, CliError> {
    text.parse().map_err(CliError::Signal)
}

/// The beginning of a text, on one line.
pub(super) fn one_line(text: &str) -> String {
    let line: String = text.chars().take(100).collect();
    line.replace(char::is_control, " ")
}
