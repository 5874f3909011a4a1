//! The `sandbox` command: runs commands and code in a sandbox from a terminal.

#![forbid(unsafe_code)]

mod args;
mod background;
mod chart;
mod cmd;
mod detach;
mod display;
mod error;
mod exit;
mod input;
mod interrupt;
mod output;
mod progress;
mod target;
mod terminal;
mod words;

use args::{Arguments, Command};
use error::CliError;
use exit::Exit;

fn main() -> std::process::ExitCode {
    // What cannot be printed is a failure of whatever printed it.
    let exit = run().unwrap_or_else(|error| {
        sandbox_daemon::cli::report(&error, error.hint());
        error.exit()
    });
    exit.into()
}

fn run() -> Result<Exit, CliError> {
    // Before the parser or the runtime may start a thread.
    let token = sandbox_daemon::cli::prepare()?;
    let arguments: Arguments = match sandbox_daemon::cli::parse() {
        Ok(arguments) => arguments,
        Err(stopped) => return cmd::manual::stop(&stopped),
    };
    match arguments.command {
        Command::Exec(args) => cmd::exec::run(args, token),
        Command::Run(args) => cmd::run::run(args, token),
        Command::Session(args) => cmd::session::run(args, token),
        Command::Pty(args) => cmd::pty::run(args, token),
        Command::Repl(args) => cmd::repl::run(args, token),
        Command::Doctor(args) => cmd::doctor::run(args, token),
        Command::Status { format } => cmd::background::status(format.json),
        Command::Stop { format } => cmd::background::stop(format.json),
        Command::Completions { shell } => cmd::manual::completions(shell),
        Command::Man => cmd::manual::man(),
        Command::Serve(args) => {
            sandbox_daemon::cli::serve(args, token)?;
            Ok(Exit::SUCCESS)
        }
    }
}
