//! `sandbox exec`.

use std::ffi::OsString;
use std::path::Path;

use crate::args::ExecArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{input, output, target, words};

pub(crate) fn run(args: ExecArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let ExecArgs {
        target,
        limits,
        cwd,
        command,
    } = args;
    let command = match command.as_slice() {
        [word] if word == input::STDIN => input::read(Path::new(word))?,
        words => words::text(words),
    };
    target::with_process(target, token, None, async |process| {
        let mut exec = process.exec(command).split_output();
        if let Some(cwd) = cwd {
            exec = exec.cwd(cwd);
        }
        if let Some(timeout) = limits.timeout {
            exec = exec.timeout(timeout);
        }
        for (name, value) in limits.env {
            exec = exec.env(name, value);
        }
        let response = exec.await?;
        if limits.json {
            output::show_json(&response, None);
        } else {
            output::show(&response);
        }
        Ok(Exit::of(&response))
    })
}
