//! The command line.

use clap::{Parser, Subcommand};
use sandbox_daemon::cli::ServeArgs;

use crate::args::FormatArgs;
use crate::cmd::cat::CatArgs;
use crate::cmd::change::{SandboxesArgs, StopArgs};
use crate::cmd::cp::CpArgs;
use crate::cmd::create::CreateArgs;
use crate::cmd::doctor::DoctorArgs;
use crate::cmd::exec::ExecArgs;
use crate::cmd::follow::FollowArgs;
use crate::cmd::list::ListArgs;
use crate::cmd::logs::LogsArgs;
use crate::cmd::ls::LsArgs;
use crate::cmd::mkdir::MkdirArgs;
use crate::cmd::pty::PtyArgs;
use crate::cmd::repl::ReplArgs;
use crate::cmd::rm::RmArgs;
use crate::cmd::run::RunArgs;
use crate::cmd::session::SessionArgs;
use crate::cmd::up::{StateOnlyArgs, UpArgs};
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
    /// Run a control plane, which creates sandboxes on this machine for this program and for Daytona's SDKs
    Up(UpArgs),
    /// End the control plane of `sandbox up`; its sandboxes run on
    Down(StateOnlyArgs),
    /// Print the variables by which Daytona's SDKs find the control plane, for `eval`
    Env(StateOnlyArgs),
    /// Create a sandbox and start it
    Create(CreateArgs),
    /// List the sandboxes
    #[command(visible_alias = "ps")]
    List(ListArgs),
    /// Show the logs of the commands of a sandbox's sessions
    Logs(LogsArgs),
    /// Start sandboxes that are stopped
    Start(SandboxesArgs),
    /// Stop sandboxes, whose files remain; without a name, the background daemon and everything that it runs
    Stop(StopArgs),
    /// Delete sandboxes with everything in them
    Delete(SandboxesArgs),
    /// Run a shell command
    Exec(ExecArgs),
    /// Show a command that runs on after its soft time limit, to its end
    Follow(FollowArgs),
    /// Run a program; save and list the charts that it shows
    Run(RunArgs),
    /// Copy files and directories to a sandbox and from it
    Cp(CpArgs),
    /// List a directory of a sandbox
    Ls(LsArgs),
    /// Print files of a sandbox
    Cat(CatArgs),
    /// Create directories in a sandbox
    Mkdir(MkdirArgs),
    /// Remove files and directories of a sandbox
    Rm(RmArgs),
    /// Manage shell sessions, and read the logs of their commands
    Session(SessionArgs),
    /// Open, attach to and manage terminals
    Pty(Box<PtyArgs>),
    /// Run code in a stateful interpreter, line by line
    Repl(ReplArgs),
    /// Show what a sandbox has: shells, runtimes, limits
    Doctor(DoctorArgs),
    /// Run the daemon
    Serve(ServeArgs),
    /// Show the background daemon, which holds sessions and terminals
    Status {
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

impl Command {
    /// Returns whether the exit code is that of what is run, which the codes of this program should not look like.
    pub(crate) fn runs_code(&self) -> bool {
        match self {
            Self::Exec(_) | Self::Follow(_) | Self::Run(_) | Self::Repl(_) => true,
            Self::Session(args) => args.runs_code(),
            _ => false,
        }
    }

    /// Returns whether a program reads what is printed: `--json`.
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Exec(args) => args.limits.format.json,
            Self::Follow(args) => args.format.json,
            Self::Run(args) => args.limits.format.json,
            Self::Cp(args) => args.format.json,
            Self::Ls(args) => args.format.json,
            Self::Mkdir(args) => args.format.json,
            Self::Rm(args) => args.format.json,
            Self::Session(args) => args.is_json(),
            Self::Pty(args) => args.is_json(),
            Self::Repl(args) => args.is_json(),
            Self::Doctor(args) => args.format.json,
            Self::Up(args) => args.format.json,
            Self::Down(args) | Self::Env(args) => args.format.json,
            Self::Create(args) => args.format.json,
            Self::List(args) => args.format.json,
            Self::Logs(args) => args.format.json,
            Self::Start(args) | Self::Delete(args) => args.format.json,
            Self::Stop(args) => args.format.json,
            Self::Status { format } => format.json,
            Self::Cat(_) | Self::Serve(_) | Self::Completions { .. } | Self::Man => false,
        }
    }
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
                "it prints its address in one line, and logs",
            ),
            ("sandbox cat", "its output is the files"),
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

    /// A flag that chooses the daemon stands before or after the verb.
    #[test]
    fn the_daemon_is_named_anywhere() {
        for arguments in [
            &["session", "--url", "unix:/x", "list"][..],
            &["session", "list", "--url", "unix:/x"],
            &["session", "exec", "--url", "unix:/x", "s", "true"],
            &[
                "session",
                "logs",
                "s",
                "c",
                "--url",
                "unix:/x",
                "--token-file",
                "t",
            ],
            &["pty", "list", "--url", "unix:/x"],
            &["pty", "--url", "unix:/x"],
            &["repl", "--url", "unix:/x"],
        ] {
            let words = ["sandbox"].iter().chain(arguments);
            let parsed = Arguments::try_parse_from(words).unwrap().command;
            let shown = format!("{parsed:?}");
            assert!(shown.contains(r#"url: Some("unix:/x")"#), "{shown}");
        }
    }
}
