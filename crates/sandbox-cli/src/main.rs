//! The `sandbox` command: runs commands and code in a sandbox from a terminal.

#![forbid(unsafe_code)]

mod args;
mod background;
mod chart;
mod cmd;
mod detach;
mod error;
mod exit;
mod input;
mod interrupt;
mod output;
mod picture;
mod progress;
mod target;
mod terminal;
mod words;

use std::ffi::OsString;

use clap::Parser;

use args::{Arguments, Command};
use error::CliError;
use exit::Exit;

fn main() -> std::process::ExitCode {
    // Before the parser or the runtime may start a thread.
    let token = sandbox_daemon::cli::prepare().map_err(CliError::from);
    let Arguments { command, json } = Arguments::parse();
    let exit = token.and_then(|token| run(command, json, token));
    let exit = exit.unwrap_or_else(|error| {
        match json {
            true => output::error_json(&error, error.hint()),
            false => sandbox_daemon::cli::report(&error, error.hint()),
        }
        error.exit()
    });
    exit.into()
}

fn run(command: Command, json: bool, token: Option<OsString>) -> Result<Exit, CliError> {
    match command {
        Command::Exec(args) => cmd::exec::run(args, json, token),
        Command::Run(args) => cmd::run::run(args, json, token),
        Command::Session(args) => cmd::session::run(args, json, token),
        Command::Pty(args) => cmd::pty::run(args, json, token),
        Command::Repl(args) => cmd::repl::run(args, json, token),
        Command::Doctor(args) => cmd::doctor::run(args, json, token),
        Command::Status => cmd::background::status(json),
        Command::Stop => cmd::background::stop(json),
        Command::Completions { shell } => cmd::manual::completions(shell),
        Command::Man => cmd::manual::man(),
        Command::Serve(args) => {
            sandbox_daemon::cli::serve(args, token)?;
            Ok(Exit::SUCCESS)
        }
    }
}
