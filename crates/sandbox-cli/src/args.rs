//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use sandbox_daemon::cli::ServeArgs;
use sandbox_process::Language;

use crate::cmd::pty::PtyArgs;
use crate::cmd::repl::ReplArgs;
use crate::cmd::session::SessionArgs;
use crate::exit;

/// Runs commands and code in a sandbox
#[derive(Debug, Parser)]
#[command(name = "sandbox", version, after_help = exit::TABLE)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a shell command
    Exec(ExecArgs),
    /// Run a program; save and list the charts that it shows
    Run(RunArgs),
    /// Shells that stay, and the logs of what they ran
    Session(SessionArgs),
    /// Terminals that stay
    Pty(PtyArgs),
    /// An interpreter that remembers
    Repl(ReplArgs),
    /// Tell what a sandbox can do: shells, runtimes, limits
    Doctor(DoctorArgs),
    /// Serve a sandbox: the daemon
    Serve(ServeArgs),
    /// Tell about the daemon in the background, which keeps sessions and terminals
    Status {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// End the daemon in the background with all that it runs
    Stop {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual, for `man -l -`
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    /// Run it in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<String>,

    /// Pass on what comes on standard input; otherwise the command's is empty
    #[arg(long = "stdin", short = 'i', conflicts_with = "json")]
    pub(crate) stdin: bool,

    /// One word is the text that the shell evaluates; of several, each is an argument and taken verbatim; - alone reads the
    /// text from standard input
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    /// The language [default: by the file's extension, else python]
    #[arg(long, value_name = "NAME", value_parser = one_of(Language::ALL))]
    pub(crate) language: Option<Language>,

    /// The interpreter of Python code, where the sandbox is this machine
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    pub(crate) python: Option<PathBuf>,

    /// Save charts here
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) charts_dir: PathBuf,

    /// The program's file; - reads it from standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The program's arguments
    #[arg(
        value_name = "ARGUMENT",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) argv: Vec<String>,
}

// No doc comment: rustdoc would take the brackets for links.
const URL_HELP: &str = "The daemon: http[s]:// or grpc[s]://HOST[:PORT][/PREFIX], unix:PATH or grpc+unix:PATH [default: one in this process, on this machine]";

/// Which sandbox.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    #[arg(long, env = "SANDBOX_URL", value_name = "URL", help = URL_HELP)]
    pub(crate) url: Option<String>,

    /// File with the access token; else the variable SANDBOX_TOKEN
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// What a run may have.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Set a variable
    #[arg(long = "env", short, value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,

    /// End it after this long: seconds, or 1m30s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// How it is told.
#[derive(Debug, Args)]
pub(crate) struct FormatArgs {
    /// Print one JSON value instead
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?,
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string())?,
    };
    if duration.is_zero() {
        return Err("a limit of nothing lets nothing run".to_owned());
    }
    Ok(duration)
}

/// Reads the name of one of these languages.
pub(crate) fn one_of<const COUNT: usize>(
    languages: [Language; COUNT],
) -> impl TypedValueParser<Value = Language> {
    let names = PossibleValuesParser::new(languages.map(Language::name));
    names.try_map(|name| name.parse::<Language>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_subcommand_speaks_json() {
        // Why these do not.
        let others = BTreeMap::from([
            ("sandbox pty attach", "it is a terminal"),
            (
                "sandbox serve",
                "it tells its address in one line, and logs",
            ),
            ("sandbox completions", "its output is a program"),
            ("sandbox man", "its output is a page"),
        ]);
        let mut silent = Vec::new();
        let mut commands = vec![("sandbox".to_owned(), Arguments::command())];
        let mut count = 0;
        while let Some((name, command)) = commands.pop() {
            let inner = command.get_subcommands().cloned();
            commands.extend(inner.map(|inner| (format!("{name} {}", inner.get_name()), inner)));
            // Some only have subcommands.
            if command.is_subcommand_required_set() {
                continue;
            }
            count += 1;
            let is_json = |argument: &clap::Arg| argument.get_long() == Some("json");
            if !command.get_arguments().any(is_json) {
                silent.push(name);
            }
        }
        silent.sort();
        assert_eq!(silent, others.into_keys().collect::<Vec<_>>());
        assert!(count > 15, "{count}");
    }

    #[test]
    fn durations_and_variables_are_read() {
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        for bad in ["", "-1", "0", "x", "nan", "1e300"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(variable("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert!(variable("A").is_err() && variable("=b").is_err());
    }
}
