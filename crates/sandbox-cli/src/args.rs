//! Arguments that several subcommands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use sandbox_process::Language;

use crate::detach::DetachKeys;

// No doc comment: rustdoc would take the brackets for links.
const URL_HELP: &str = "The daemon: http[s]:// or grpc[s]://HOST[:PORT][/PREFIX], unix:PATH or grpc+unix:PATH [default: one in this process, on this machine]";

/// The sandbox that a subcommand works in.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    #[arg(long, env = "SANDBOX_URL", value_name = "URL", help = URL_HELP, global = true)]
    pub(crate) url: Option<String>,

    /// File with the access token; else the variable SANDBOX_TOKEN
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
}

/// Variables and limits of a run.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Set an environment variable
    #[arg(long = "env", short, value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,

    /// Kill it after this long: seconds, or a duration such as 1m30s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// The form of the output.
#[derive(Debug, Args)]
pub(crate) struct FormatArgs {
    /// Print one JSON value instead
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a terminal is left.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The keys that leave the terminal without ending what runs there
    #[arg(long, value_name = "KEYS", default_value = "ctrl-],d")]
    pub(crate) detach_keys: DetachKeys,
}

pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?,
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string())?,
    };
    if duration.is_zero() {
        return Err("a time limit must be longer than 0".to_owned());
    }
    Ok(duration)
}

/// Reads the name of one of these languages.
pub(crate) fn one_of<const COUNT: usize>(
    languages: [Language; COUNT],
) -> impl TypedValueParser<Value = Language> {
    let names = PossibleValuesParser::new(languages.map(Language::name));
    names.try_map(|name| name.parse::<Language>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_variables_are_read() {
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        for bad in ["", "-1", "0", "x", "nan", "1e300"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(variable("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert!(variable("A").is_err() && variable("=b").is_err());
    }
}
