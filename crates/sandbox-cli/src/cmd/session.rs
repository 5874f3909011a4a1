//! `sandbox session`: shells that stay, and the logs of what they ran.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use sandbox_logcodec::Channel;
use sandbox_transport::{CommandInput, LogEvent, LogOptions, LogSource, ProcessApi};
use sandbox_wire::rest::{SessionCommand as Told, SessionExecuteRequest, SignalSpec};
use serde_json::{Value, json};

use crate::args::{LimitArgs, TargetArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::{Interrupts, Step};
use crate::{exit, input, output, target, terminal, words};

#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    #[command(flatten)]
    target: TargetArgs,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a shell that stays, in this directory if the sandbox is this machine
    Create {
        /// The session's id
        session: String,
    },
    /// Run a command in a session's shell, and show what it writes as it comes
    Exec(ExecArgs),
    /// Show the log of a command
    Logs {
        /// The session's id
        session: String,
        /// The command's id
        command: String,
        /// Go on until the command ends
        #[arg(long, short)]
        follow: bool,
        /// Leave out this many bytes of output, of both channels together
        #[arg(long, value_name = "BYTES", default_value_t = 0)]
        offset: u64,
    },
    /// Give a running command input: the text as a line, or else what comes on standard input, and its end
    Input {
        /// The session's id
        session: String,
        /// The command's id
        command: String,
        /// A line for it
        text: Option<String>,
    },
    /// Signal all processes of a running command
    Signal {
        /// The session's id
        session: String,
        /// The command's id
        command: String,
        /// The signal: a name such as TERM, or a number
        signal: String,
    },
    /// List the sessions, and the commands of one
    List {
        /// A session's id
        session: Option<String>,
    },
    /// End sessions with all that they run
    Rm {
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
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,

    /// Run it as this user, apart from the session
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Print the command's id and do not wait
    #[arg(long, short, conflicts_with = "stdin")]
    detach: bool,

    /// Pass on what comes on standard input; otherwise the command finds the end of its input
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

type Api = Arc<dyn ProcessApi>;

pub(crate) fn run(
    args: SessionArgs,
    is_json: bool,
    token: Option<OsString>,
) -> Result<Exit, CliError> {
    let SessionArgs { target, verb } = args;
    let is_here = target.url.is_none();
    target::with_api(target, token, async |api| match verb {
        Verb::Create { session } => {
            create(&api, &session, is_here).await?;
            done(is_json, json!({ "sessionId": session }))
        }
        Verb::Exec(args) => exec(&api, args, is_json).await,
        Verb::Logs {
            session,
            command,
            follow,
            offset,
        } => {
            let options = LogOptions::new().offset(offset);
            let options = if follow { options } else { options.snapshot() };
            match is_json {
                true => answer(&api, &session, &command, options).await,
                false => show(&api, &session, &command, options).await,
            }
        }
        Verb::Input {
            session,
            command,
            text: Some(text),
        } => {
            let line = CommandInput::line(text);
            api.session_input(&session, &command, line).await?;
            done(is_json, json!({ "cmdId": command }))
        }
        Verb::Input {
            session, command, ..
        } => {
            feed(&api, &session, &command).await?;
            done(is_json, json!({ "cmdId": command }))
        }
        Verb::Signal {
            session,
            command,
            signal,
        } => {
            let signal = match signal.parse() {
                Ok(number) => SignalSpec::Number(number),
                Err(_) => SignalSpec::Name(signal),
            };
            api.session_signal(&session, &command, signal).await?;
            done(is_json, json!({ "cmdId": command }))
        }
        Verb::List { session } => list(&api, session.as_deref(), is_json).await,
        Verb::Rm { sessions } => {
            for session in &sessions {
                api.delete_session(session).await?;
            }
            done(is_json, json!({ "deleted": sessions }))
        }
    })
}

async fn create(api: &Api, session: &str, is_here: bool) -> Result<(), CliError> {
    api.create_session(session).await?;
    let here = std::env::current_dir().ok().filter(|_| is_here);
    if let Some(here) = here.as_deref().and_then(Path::to_str) {
        let request = SessionExecuteRequest {
            command: format!("cd -- {}", words::quoted(here)),
            ..SessionExecuteRequest::default()
        };
        api.session_execute(session, request).await?;
    }
    Ok(())
}

/// Nothing is to be told of it, but to programs.
fn done(is_json: bool, told: Value) -> Result<Exit, CliError> {
    if is_json {
        output::line(&told.to_string());
    }
    Ok(Exit::SUCCESS)
}

async fn exec(api: &Api, args: ExecArgs, is_json: bool) -> Result<Exit, CliError> {
    let ExecArgs {
        limits,
        session,
        command,
        ..
    } = args;
    let command = match command.as_slice() {
        [word] if word == input::STDIN => input::read(Path::new(word))?,
        words => words::text(words),
    };
    let env = limits
        .env
        .into_iter()
        .map(|(name, value)| (name, Some(value)));
    let env: BTreeMap<_, _> = env.collect();
    let millis = limits.timeout.map(|limit| limit.as_millis());
    let request = SessionExecuteRequest {
        command,
        // Followed: what it writes is seen as it comes, and it can be interrupted.
        run_async: Some(true),
        suppress_input_echo: Some(true),
        cwd: args.cwd,
        user: args.user,
        envs: (!env.is_empty()).then_some(env),
        timeout_millis: millis.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX)),
        ..SessionExecuteRequest::default()
    };
    let id = api.session_execute(&session, request).await?.cmd_id;
    if args.detach {
        match is_json {
            true => output::line(&json!({ "cmdId": id }).to_string()),
            false => output::line(&id),
        }
        return Ok(Exit::SUCCESS);
    }
    if !args.stdin {
        // A command that has ended already wants none.
        let _ = api.session_input(&session, &id, CommandInput::eof()).await;
    }
    let shown = async {
        match is_json {
            true => answer(api, &session, &id, LogOptions::new()).await,
            false => show(api, &session, &id, LogOptions::new()).await,
        }
    };
    let fed = async {
        if args.stdin && feed(api, &session, &id).await.is_err() {
            // It has ended, which the log tells.
        }
        std::future::pending().await
    };
    tokio::select! {
        exit = shown => exit,
        exit = fed => exit,
    }
}

/// Shows a log, to the command's end if it is followed; then the exit code is the command's.
async fn show(
    api: &Api,
    session: &str,
    command: &str,
    options: LogOptions,
) -> Result<Exit, CliError> {
    let source = LogSource::command(session, command);
    let mut log = api.follow_log(source, options).await?;
    let mut interrupts = Interrupts::listen()?;
    loop {
        tokio::select! {
            event = log.next() => match event {
                Some(event) => print(event?),
                None => break,
            },
            step = interrupts.next(), if options.follow => match step {
                Step::Forward(signal) => {
                    let signal = SignalSpec::Number(signal);
                    if let Err(error) = api.session_signal(session, command, signal).await {
                        output::note(&format!("note: not interrupted: {error}"));
                    }
                }
                Step::Leave(exit) => return Ok(exit),
            },
        }
    }
    if !options.follow {
        return Ok(Exit::SUCCESS);
    }
    let told = api.session_command(session, command).await?;
    Ok(end_of(&told))
}

fn print(event: LogEvent) {
    match event {
        LogEvent::Output { channel, bytes, .. } => {
            // A reader that has gone (`| head`) wants no more, which is no error.
            let _ = match channel {
                Channel::Stderr => io::stderr().write_all(&bytes),
                Channel::Stdout => {
                    let mut stdout = io::stdout();
                    stdout.write_all(&bytes).and_then(|()| stdout.flush())
                }
            };
        }
        LogEvent::Gap { length, .. } => {
            output::note(&format!("note: {length} bytes of output were not kept"));
        }
        _ => {}
    }
}

/// How a command ended; one that has not been seen to end has not succeeded.
fn end_of(told: &Told) -> Exit {
    match &told.termination {
        Some(termination) => output::ended(told.exit_code, termination),
        None => Exit::of_code(told.exit_code),
    }
}

/// Prints what a command did as one JSON object; waits for its end if it is followed.
async fn answer(
    api: &Api,
    session: &str,
    command: &str,
    options: LogOptions,
) -> Result<Exit, CliError> {
    let source = LogSource::command(session, command);
    let mut log = api.follow_log(source, options).await?;
    let (mut stdout, mut stderr, mut lost) = (Vec::new(), Vec::new(), 0);
    while let Some(event) = log.next().await {
        match event? {
            LogEvent::Output { channel, bytes, .. } => match channel {
                Channel::Stdout => stdout.extend_from_slice(&bytes),
                Channel::Stderr => stderr.extend_from_slice(&bytes),
            },
            LogEvent::Gap { length, .. } => lost += length,
            _ => {}
        }
    }
    let told = api.session_command(session, command).await?;
    let object = json!({
        "cmdId": command,
        "exitCode": told.exit_code,
        "termination": told.termination,
        "stdout": String::from_utf8_lossy(&stdout),
        "stderr": String::from_utf8_lossy(&stderr),
        "droppedBytes": lost,
    });
    output::line(&object.to_string());
    if !options.follow {
        return Ok(Exit::SUCCESS);
    }
    Ok(end_of(&told))
}

/// Passes on what comes on standard input, and its end.
async fn feed(api: &Api, session: &str, command: &str) -> Result<(), CliError> {
    let mut stdin = terminal::input();
    while let Some(chunk) = stdin.recv().await {
        let input = CommandInput::raw(chunk);
        api.session_input(session, command, input).await?;
    }
    let end = CommandInput::eof();
    Ok(api.session_input(session, command, end).await?)
}

async fn list(api: &Api, session: Option<&str>, is_json: bool) -> Result<Exit, CliError> {
    if let Some(session) = session {
        let session = api.get_session(session).await?;
        if is_json {
            output::line(&json!(session).to_string());
            return Ok(Exit::SUCCESS);
        }
        for command in &session.commands {
            let state = command
                .exit_code
                .map_or_else(|| "-".to_owned(), |code| code.to_string());
            output::line(&format!(
                "{}  {state:>4}  {}",
                command.id,
                one_line(&command.command)
            ));
        }
        return Ok(Exit::SUCCESS);
    }
    let sessions = api.list_sessions().await?;
    if is_json {
        output::line(&json!(sessions).to_string());
        return Ok(Exit::SUCCESS);
    }
    for session in &sessions {
        let running = session
            .commands
            .iter()
            .filter(|command| command.exit_code.is_none());
        let (running, all) = (running.count(), session.commands.len());
        output::line(&format!(
            "{}  {all} commands, {running} running",
            session.session_id
        ));
    }
    Ok(Exit::SUCCESS)
}

/// The beginning of a text, on one line.
fn one_line(text: &str) -> String {
    let line: String = text.chars().take(100).collect();
    line.replace(char::is_control, " ")
}
