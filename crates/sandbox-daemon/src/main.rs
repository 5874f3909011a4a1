//! The daemon's binary.

use std::process::ExitCode;

use clap::Parser;
use sandbox_daemon::cli::{self, ServeArgs, ServeError};

/// Runs commands and code inside a sandbox, for clients that speak Daytona's toolbox API
#[derive(Debug, Parser)]
#[command(name = "sandbox-daemon", version)]
struct Arguments {
    #[command(flatten)]
    serve: ServeArgs,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            cli::report(&error, error.hint());
            if error.is_usage() {
                ExitCode::from(2)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn run() -> Result<ExitCode, ServeError> {
    // Before the parser or the runtime starts a thread.
    let token = cli::prepare()?;
    match cli::parse::<Arguments>() {
        Ok(arguments) => cli::serve(arguments.serve, token)?,
        Err(said) if said.is_error => {
            cli::complain(&said.text);
            return Ok(ExitCode::from(2));
        }
        Err(said) => cli::print(&said.text)?,
    }
    Ok(ExitCode::SUCCESS)
}
