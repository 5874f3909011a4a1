//! `sandbox status` and `sandbox stop`: the daemon in the background.

use serde_json::json;

use crate::background::Background;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;
use crate::target;

/// Reports whether there is one, and what it holds. Exits with 1 if there is none.
pub(crate) fn status(is_json: bool) -> Result<Exit, CliError> {
    let background = Background::of_this_user()?;
    let Some(found) = background.find() else {
        if is_json {
            output::line(&json!({ "running": false }).to_string())?
        } else {
            output::line("no daemon in the background")?
        }
        return Ok(Exit::NOT_FOUND);
    };
    let pid = found.pid.map(|pid| pid.as_raw_nonzero().get());
    target::on(&background.url(), async |process| {
        let version = process.version().await?;
        if is_json {
            let status = json!({
                "running": true,
                "pid": pid,
                "url": background.url(),
                "version": version,
            });
            output::line(&status.to_string())?;
        } else {
            let process = match pid {
                Some(pid) => format!("process {pid}"),
                None => "a process that is not visible from here".to_owned(),
            };
            output::line(&format!("daemon {version}, {process}"))?;
            output::line(&format!("  at {}", background.url()))?;
            output::line(&format!("  log in {}", background.log().display()))?;
        }
        Ok(Exit::SUCCESS)
    })
}

/// Ends it with all that it runs. Exits with 1 if there is none.
pub(crate) fn stop(is_json: bool) -> Result<Exit, CliError> {
    let stopped = Background::of_this_user()?.stop()?;
    if is_json {
        output::line(&json!({ "stopped": stopped }).to_string())?;
    } else if !stopped {
        output::note("no daemon in the background")?;
    }
    if stopped {
        Ok(Exit::SUCCESS)
    } else {
        Ok(Exit::NOT_FOUND)
    }
}
