//! The `sandbox` command: runs commands and code in a sandbox from a terminal.

#![forbid(unsafe_code)]

mod args;
mod attach;
mod background;
mod chart;
mod cli;
mod cmd;
mod complete;
mod control;
mod detach;
mod display;
mod error;
mod exit;
mod input;
mod interrupt;
mod output;
mod place;
mod progress;
mod state;
mod target;
mod terminal;
mod words;

use std::ffi::OsString;

use clap::CommandFactory;
use cli::{Arguments, Command};
use error::CliError;
use exit::Exit;

fn main() -> std::process::ExitCode {
    let exit = match parse() {
        Ok((command, token)) => {
            let (is_json, runs_code) = (command.is_json(), command.runs_code());
            run(command, token).unwrap_or_else(|error| match error.report(is_json) {
                Exit::NOT_FOUND if runs_code => Exit::FAILED,
                exit => exit,
            })
        }
        Err(Stopped::Printed(exit)) => exit,
        Err(Stopped::Failed(error)) => error.report(false),
    };
    exit.into()
}

/// Why no subcommand runs.
enum Stopped {
    /// A help text, the version or what is wrong with the command line was printed.
    Printed(Exit),
    Failed(CliError),
}

fn parse() -> Result<(Command, Option<OsString>), Stopped> {
    // Both before the parser or the runtime may start a thread.
    match complete::respond(Arguments::command) {
        Ok(false) => {}
        Ok(true) => return Err(Stopped::Printed(Exit::SUCCESS)),
        Err(error) => return Err(Stopped::Failed(error)),
    }
    let token = sandbox_daemon::cli::prepare();
    let token = token.map_err(|error| Stopped::Failed(error.into()))?;
    match sandbox_daemon::cli::parse::<Arguments>() {
        Ok(arguments) => Ok((arguments.command, token)),
        Err(said) => Err(match cmd::manual::stop(&said) {
            Ok(exit) => Stopped::Printed(exit),
            Err(error) => Stopped::Failed(error),
        }),
    }
}

fn run(command: Command, token: Option<OsString>) -> Result<Exit, CliError> {
    match command {
        Command::Exec(args) => cmd::exec::run(args, token),
        Command::Follow(args) => cmd::follow::run(args, token),
        Command::Run(args) => cmd::run::run(args, token),
        Command::Cp(args) => cmd::cp::run(args, token),
        Command::Ls(args) => cmd::ls::run(args, token),
        Command::Cat(args) => cmd::cat::run(args, token),
        Command::Mkdir(args) => cmd::mkdir::run(args, token),
        Command::Rm(args) => cmd::rm::run(args, token),
        Command::Session(args) => cmd::session::run(args, token),
        Command::Pty(args) => cmd::pty::run(*args, token),
        Command::Repl(args) => cmd::repl::run(args, token),
        Command::Doctor(args) => cmd::doctor::run(args, token),
        Command::Status { format } => cmd::background::status(format.json),
        Command::Up(args) => cmd::up::up(args),
        Command::Down(args) => cmd::up::down(args),
        Command::Env(args) => cmd::up::env(args),
        Command::Create(args) => cmd::create::run(args),
        Command::Logs(args) => cmd::logs::run(args),
        Command::List(args) => cmd::list::run(args),
        Command::Start(args) => cmd::change::start(args),
        Command::Stop(args) => cmd::change::stop(args),
        Command::Delete(args) => cmd::change::delete(args),
        Command::Completions { shell } => cmd::manual::completions(shell),
        Command::Man => cmd::manual::man(Arguments::command()),
        Command::Serve(args) => {
            sandbox_daemon::cli::serve(args, token)?;
            Ok(Exit::SUCCESS)
        }
    }
}
