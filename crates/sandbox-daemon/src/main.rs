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
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::report(&error, error.hint());
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), ServeError> {
    // Before the parser or the runtime may start a thread.
    let token = cli::prepare()?;
    cli::serve(Arguments::parse().serve, token)
}
