//! `sandbox list`: lists the sandboxes of a control plane.

use std::time::{Duration, SystemTime};

use clap::Args;
use sandbox_process::SandboxInfo;
use serde_json::{Value, json};

use crate::args::{FormatArgs, variable};
use crate::control::with_sandboxes;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{exit, output};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// Only those with this label; of several, with all
    #[arg(long = "label", short, value_name = "NAME=VALUE", value_parser = variable)]
    labels: Vec<(String, String)>,

    /// Print the names alone
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
}

pub(crate) fn run(args: ListArgs) -> Result<Exit, CliError> {
    with_sandboxes(async move |sandboxes| {
        let mut list = sandboxes.list();
        for (name, value) in args.labels {
            list = list.label(name, value);
        }
        let listed = list.await.map_err(CliError::Control)?;
        let infos: Vec<_> = listed.iter().map(sandbox_process::Sandbox::info).collect();
        if args.format.json {
            let all: Vec<_> = infos.iter().map(|info| describe(info)).collect();
            output::line(&Value::from(all).to_string())?;
        } else if args.quiet {
            for info in &infos {
                output::line(&output::printable(&info.name))?;
            }
        } else {
            output::table(HEADER, infos.iter().map(|info| row(info)))?;
        }
        Ok(Exit::SUCCESS)
    })
}

/// Returns all about a sandbox, for programs.
pub(crate) fn describe(info: &SandboxInfo) -> Value {
    let time = |time: Option<SystemTime>| {
        time.map(|time| humantime::format_rfc3339_millis(time).to_string())
    };
    let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs());
    json!({
        "id": info.id,
        "name": info.name,
        "state": info.state.to_string(),
        "errorReason": info.error_reason,
        "image": info.image,
        "user": info.user,
        "labels": info.labels,
        "blockNetwork": info.block_network,
        "cpus": info.cpus,
        "memoryGib": info.memory_gib,
        "autoStopSeconds": seconds(info.auto_stop),
        "autoDeleteSeconds": seconds(info.auto_delete),
        "created": time(info.created),
    })
}

const HEADER: [&str; 4] = ["NAME", "STATE", "AGE", "LABELS"];

fn row(info: &SandboxInfo) -> [String; 4] {
    let age = info.created.and_then(|created| created.elapsed().ok());
    let labels = info.labels.iter();
    // It is there in every sandbox of the official SDKs, and says little.
    let labels = labels.filter(|(name, _)| *name != "code-toolbox-language");
    let labels: Vec<_> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    [
        output::printable(&info.name),
        output::printable(&info.state.to_string()),
        age.map_or_else(|| "-".to_owned(), short),
        output::printable(&labels.join(",")),
    ]
}

/// Returns a duration by its largest unit.
fn short(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let check = |seconds, expect| assert_eq!(short(Duration::from_secs(seconds)), expect);
        check(0, "0s");
        check(59, "59s");
        check(60, "1m");
        check(7_199, "1h");
        check(200_000, "2d");
    }
}
