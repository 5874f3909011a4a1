//! Arguments that several subcommands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap_complete::ArgValueCandidates;
use sandbox_daemon::cli::{LevelArg, NetworkArg};
use sandbox_process::{Isolation, IsolationLevel, Language, Network};

use crate::complete;
use crate::detach::DetachKeys;

// No doc comment: rustdoc would take the brackets for links.
const URL_HELP: &str = "The daemon: http[s]:// or grpc[s]://HOST[:PORT][/PREFIX], unix:PATH or grpc+unix:PATH [env: SANDBOX_URL] [default: this machine]";

/// The variable that names a daemon where no option does.
const URL_VARIABLE: &str = "SANDBOX_URL";

/// The sandbox that a subcommand works in.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The sandbox of a control plane, by its name or id
    #[arg(
        long,
        short,
        value_name = "NAME",
        conflicts_with_all = ["url", "token_file"],
        global = true,
        add = ArgValueCandidates::new(complete::names)
    )]
    pub(crate) sandbox: Option<String>,

    #[arg(long, value_name = "URL", help = URL_HELP, global = true)]
    pub(crate) url: Option<String>,

    /// File with the access token; else the variable SANDBOX_TOKEN
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
}

impl TargetArgs {
    /// Returns the arguments that name the daemon at `url`, which needs no token.
    pub(crate) fn at(url: &str) -> Self {
        Self {
            sandbox: None,
            url: Some(url.to_owned()),
            token_file: None,
        }
    }

    /// Returns the URL of the daemon, if one is named. A sandbox is named more closely than by the environment.
    pub(crate) fn url(&self) -> Option<String> {
        let named = || std::env::var(URL_VARIABLE).ok();
        match (&self.sandbox, &self.url) {
            (Some(_), _) => None,
            (None, Some(url)) => Some(url.clone()),
            (None, None) => named().filter(|url| !url.is_empty()),
        }
    }

    /// Returns whether nothing else is named than this machine.
    pub(crate) fn is_here(&self) -> bool {
        self.sandbox.is_none() && self.url().is_none()
    }
}

/// Variables and limits of a run.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Set an environment variable; NAME alone passes this program's own on
    #[arg(long = "env", short, value_name = "NAME[=VALUE]", value_parser = passed_variable)]
    pub(crate) env: Vec<(String, String)>,

    /// Kill it after this long: seconds, or a duration such as 1m30s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// What a run may use.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct ResourceArgs {
    /// Limit the memory of all its processes together, such as 512M
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory: Option<u64>,

    /// Limit the number of its processes and threads
    #[arg(long, value_name = "COUNT", visible_alias = "pids")]
    pub(crate) processes: Option<u32>,

    /// Limit its processor time, in processors, such as 1.5
    #[arg(long, value_name = "CPUS", value_parser = cpus)]
    pub(crate) cpus: Option<f64>,

    /// Limit the size of each file that it writes, such as 100M
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) file_size: Option<u64>,

    /// Limit the open files of each of its processes
    #[arg(long, value_name = "COUNT")]
    pub(crate) open_files: Option<u32>,
}

/// Sets the limits of a builder that has these options.
macro_rules! limit {
    ($builder:expr, $resources:expr) => {{
        let (mut builder, resources): (_, $crate::args::ResourceArgs) = ($builder, $resources);
        if let Some(bytes) = resources.memory {
            builder = builder.memory_limit(bytes);
        }
        if let Some(processes) = resources.processes {
            builder = builder.process_limit(processes);
        }
        if let Some(cpus) = resources.cpus {
            builder = builder.cpu_limit(cpus);
        }
        if let Some(bytes) = resources.file_size {
            builder = builder.file_size_limit(bytes);
        }
        if let Some(files) = resources.open_files {
            builder = builder.open_files_limit(files);
        }
        builder
    }};
}
pub(crate) use limit;

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

/// Reads a variable for what is run: a name alone is one of this program's environment.
pub(crate) fn passed_variable(text: &str) -> Result<(String, String), String> {
    if text.is_empty() || text.contains('=') {
        return variable(text);
    }
    match std::env::var(text) {
        Ok(value) => Ok((text.to_owned(), value)),
        Err(_) => Err(format!(
            "expected NAME=VALUE, or the name of a variable that is set here; {text} is not"
        )),
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?,
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string())?,
    };
    if duration.is_zero() {
        return Err("a time limit must be longer than 0".to_owned());
    }
    Ok(duration)
}

/// Reads a number of bytes: digits, and K, M, G or T for a power of 1024.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    sandbox_daemon::cli::parse_size(text).ok_or_else(|| "expected a size such as 512M".to_owned())
}

fn cpus(text: &str) -> Result<f64, String> {
    let cpus = text
        .parse()
        .ok()
        .filter(|cpus| (0.01..=4_000_000.0).contains(cpus));
    cpus.ok_or_else(|| "expected a number of processors such as 1.5, at least 0.01".to_owned())
}

/// Parses a time to live. None cannot be asked for: the API takes zero for one without an end.
pub(crate) fn lifetime(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("it would be deleted at once".to_owned()),
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

/// Reads a time that may be never, which is zero.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    match text {
        "never" => Ok(Duration::ZERO),
        _ => humantime::parse_duration(text)
            .map_err(|_| "expected a duration such as 15m".to_owned()),
    }
}

/// Reads the name of one of these languages.
pub(crate) fn one_of<const COUNT: usize>(
    languages: [Language; COUNT],
) -> impl TypedValueParser<Value = Language> {
    let names = PossibleValuesParser::new(languages.map(Language::name));
    names.try_map(|name| name.parse::<Language>())
}

/// The isolation of what is run.
#[derive(Debug, Default, Args)]
pub(crate) struct IsolationArgs {
    /// Isolate it from the sandbox's machine: read-only, without network, only its own processes
    #[arg(long)]
    pub(crate) isolate: bool,

    /// The level of the isolation [default: namespaces]
    #[arg(long, value_name = "LEVEL", value_enum, requires = "isolate")]
    pub(crate) level: Option<LevelArg>,

    /// The network of what is isolated [default: none]
    #[arg(long, value_name = "NETWORK", value_enum, requires = "isolate")]
    pub(crate) network: Option<NetworkArg>,

    /// A directory or file of the machine that it may change; repeat it for more
    #[arg(long, value_name = "PATH", requires = "isolate")]
    pub(crate) bind_write: Vec<String>,

    /// A directory or file of the machine to show it where it would be hidden; repeat it for more
    #[arg(long, value_name = "PATH", requires = "isolate")]
    pub(crate) bind_read: Vec<String>,

    /// A directory or file to hide from it; repeat it for more
    #[arg(long, value_name = "PATH", requires = "isolate")]
    pub(crate) hide: Vec<String>,
}

impl IsolationArgs {
    /// Returns the isolation, if one is asked for.
    pub(crate) fn isolation(self) -> Option<Isolation> {
        if !self.isolate {
            return None;
        }
        let mut isolation = Isolation::strict().network(match self.network {
            Some(NetworkArg::Host) => Network::Host,
            Some(NetworkArg::User) => Network::User,
            Some(NetworkArg::None) | None => Network::None,
        });
        if let Some(level) = self.level {
            isolation = isolation.level(match level {
                LevelArg::Namespaces => IsolationLevel::Namespaces,
                LevelArg::Bwrap => IsolationLevel::Bwrap,
                LevelArg::Landlock => IsolationLevel::Landlock,
            });
        }
        for path in self.bind_write {
            isolation = isolation.write(path);
        }
        for path in self.bind_read {
            isolation = isolation.read(path);
        }
        for path in self.hide {
            isolation = isolation.hide(path);
        }
        Some(isolation)
    }
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
        let path = std::env::var("PATH").unwrap();
        assert_eq!(passed_variable("PATH"), Ok(("PATH".to_owned(), path)));
        assert!(
            passed_variable("SANDBOX_NO_SUCH_VARIABLE").is_err() && passed_variable("").is_err()
        );
        assert_eq!(interval("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(interval("never"), Ok(Duration::ZERO));
        assert!(interval("15").is_err() && interval("").is_err());
    }
}
