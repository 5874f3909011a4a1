//! `sandbox completions` and `sandbox man`: what an installation puts beside the program.

use clap_complete::Shell;
use sandbox_daemon::cli::Said;
use sandbox_process::Channel;

use crate::error::CliError;
use crate::exit::Exit;
use crate::{complete, output};

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> Result<Exit, CliError> {
    print(&complete::script(shell)?)
}

/// Prints the manual: the page of the program, followed by those of its subcommands.
pub(crate) fn man(mut command: clap::Command) -> Result<Exit, CliError> {
    let mut page = Vec::new();
    command.build();
    let mut pages = vec![command];
    while let Some(command) = pages.pop() {
        clap_mangen::Man::new(command.clone())
            .render(&mut page)
            .map_err(CliError::Write)?;
        let shown = command
            .get_subcommands()
            .filter(|command| !command.is_hide_set());
        pages.extend(
            shown
                .filter(|command| command.get_name() != "help")
                .cloned(),
        );
    }
    print(&page)
}

fn print(bytes: &[u8]) -> Result<Exit, CliError> {
    output::print(Channel::Stdout, bytes)?;
    Ok(Exit::SUCCESS)
}

/// Prints what the parser has to say instead of running anything: a help text, the version, or
/// what is wrong with the command line.
pub(crate) fn stop(said: &Said) -> Result<Exit, CliError> {
    let channel = if said.is_error {
        Channel::Stderr
    } else {
        Channel::Stdout
    };
    output::print(channel, said.text.as_bytes())?;
    Ok(if said.is_error {
        Exit::USAGE
    } else {
        Exit::SUCCESS
    })
}
