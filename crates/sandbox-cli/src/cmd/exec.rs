//! `sandbox exec`.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use sandbox_process::{ErrorKind, Exec, ExecEvent, ExecStream, Signal};

use crate::args::ExecArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::{Interrupts, Step};
use crate::{input, output, target, terminal, words};

/// Shows what the command writes as it comes, where the daemon can send it so; else at its end.
pub(crate) fn run(args: ExecArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let ExecArgs {
        target,
        limits,
        cwd,
        stdin,
        command,
    } = args;
    let command = match command.as_slice() {
        [word] if word == input::STDIN => input::read(Path::new(word))?,
        words => words::text(words),
    };
    target::with_watched_process(target, token, None, async |process| {
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
        if stdin {
            exec = exec.with_input();
        }
        // From here on: once it runs, an interrupt is the command's.
        let interrupts = Interrupts::listen()?;
        if limits.format.json {
            return whole(exec, interrupts, true).await;
        }
        match exec.clone().stream().await {
            Ok(stream) => follow(stream, interrupts, stdin).await,
            // Other daemons cannot. And what cannot be started is told as a result there; nothing has run yet.
            Err(error) if error.is_unsupported() && !stdin => whole(exec, interrupts, false).await,
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                whole(exec, interrupts, false).await
            }
            Err(error) => Err(error.into()),
        }
    })
}

/// Waits for the end, which an interrupt does as well.
async fn whole(
    exec: Exec<'_>,
    mut interrupts: Interrupts,
    is_json: bool,
) -> Result<Exit, CliError> {
    let response = tokio::select! {
        response = exec => response?,
        exit = interrupts.leave() => return Ok(exit),
    };
    if is_json {
        output::show_json(&response, None)?;
    } else {
        output::show(&response)?;
    }
    Ok(Exit::of(&response))
}

async fn follow(
    mut stream: ExecStream,
    mut interrupts: Interrupts,
    with_input: bool,
) -> Result<Exit, CliError> {
    let control = stream.control();
    let fed = async {
        if with_input {
            let mut typed = terminal::input();
            while let Some(chunk) = typed.recv().await {
                // Waits for a command that reads slowly. One that has ended wants no more, which its end tells.
                if control.write(chunk.into()).await.is_err() {
                    break;
                }
            }
            let _ = control.close_input().await;
        }
        std::future::pending().await
    };
    let mut fed = std::pin::pin!(fed);
    loop {
        tokio::select! {
            event = stream.next() => match event {
                Some(Ok(ExecEvent::Output { channel, bytes, .. })) => output::print(channel, &bytes)?,
                Some(Ok(ExecEvent::Gap { length, .. })) => output::gap(length)?,
                Some(Ok(ExecEvent::Ended { .. })) => {
                    let end = stream.wait().await?;
                    return output::ended(end.exit_code, &end.termination);
                }
                // Told of what came too late: it has ended, or closed its input.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(Exit::FAILED),
            },
            step = interrupts.next() => match step {
                Step::Forward(number) => {
                    let control = Arc::clone(&control);
                    // One that has ended needs none. It may have to wait behind input, and nothing else waits for it.
                    tokio::spawn(async move { control.signal(Signal(number)).await });
                }
                Step::Leave(exit) => return Ok(exit),
            },
            never = fed.as_mut() => never,
        }
    }
}
