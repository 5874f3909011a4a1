//! `sandbox up`, `down` and `env`: the control plane of this machine.

mod background;
mod serve;

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use sandbox_process::ControlAddress;
use sandbox_provider::LocalNetwork;
use sandbox_wire::shell::quote;
use serde_json::json;

use crate::args::{FormatArgs, size};
use crate::background::end;
use crate::error::CliError;
use crate::exit::Exit;
use crate::state::{StateDir, User};
use crate::{exit, output};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,

    #[command(flatten)]
    state: StateArgs,

    /// Listen on this address
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3986")]
    listen: SocketAddr,

    /// Register a directory as the root of sandboxes that are created with --image NAME
    #[arg(long = "image", value_name = "NAME=DIR", value_parser = image)]
    images: Vec<(String, PathBuf)>,

    /// The number of sandboxes, with those that are stopped
    #[arg(long, value_name = "COUNT")]
    max_sandboxes: Option<usize>,

    /// The network of sandboxes: their own with a way out (user, needs slirp4netns), the machine's (host), or none [default: user where
    /// that can be had, else none]
    #[arg(long, value_parser = network)]
    network: Option<LocalNetwork>,

    /// The memory of sandboxes that are created without a size, such as 2G [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,

    /// The processes and threads of each sandbox [default: 2048]
    #[arg(long, value_name = "COUNT")]
    processes: Option<u32>,

    /// Limit sandboxes in this control group of version 2, which was delegated to this user
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,

    /// File with the key of the API; else the variable SANDBOX_API_KEY, or one that is made and stays in the state directory
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// Serve SSH on this address, for clients with the token of an SSH access; port 0 is one that is free
    #[cfg(feature = "ssh")]
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:0",
        conflicts_with = "no_ssh"
    )]
    ssh: SocketAddr,

    /// Serve no SSH
    #[cfg(feature = "ssh")]
    #[arg(long)]
    no_ssh: bool,

    /// Run in the background; `sandbox down` ends it
    #[arg(long, short)]
    detach: bool,

    /// Started by --detach
    #[arg(long, hide = true, conflicts_with = "detach")]
    detached: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// The directory of the sandboxes and the key [env: SANDBOX_STATE_DIR] [default: ~/.local/state/sandbox]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct StateOnlyArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,

    #[command(flatten)]
    state: StateArgs,
}

/// The variable that may hold the key of the control plane to start.
pub(crate) const KEY_VARIABLE: &str = "SANDBOX_API_KEY";

pub(crate) fn up(args: UpArgs) -> Result<Exit, CliError> {
    let dir = StateDir::named(args.state.state_dir.clone())?;
    dir.create()?;
    if args.detach {
        return match background::start(&dir, &args)? {
            background::Started::At(address) => {
                show(&dir, &address, &args)?;
                Ok(Exit::SUCCESS)
            }
            background::Started::Not(exit) => Ok(exit),
        };
    }
    serve::run(&dir, &args)
}

/// Ends the control plane; its sandboxes run on. Exits with 1 if there is none.
pub(crate) fn down(args: StateOnlyArgs) -> Result<Exit, CliError> {
    let dir = StateDir::named(args.state.state_dir)?;
    let is_json = args.format.json;
    let stopped = match dir.user()? {
        User::Nobody => false,
        User::Process(None) => {
            let unseen = io::Error::other("its process is not visible from here");
            return Err(CliError::Down(unseen));
        }
        User::Process(Some(pid)) => {
            end(pid).map_err(CliError::Down)?;
            true
        }
    };
    match (is_json, stopped) {
        (true, _) => output::line(&json!({ "stopped": stopped }).to_string())?,
        (false, true) => output::note(RUN_ON)?,
        (false, false) => output::note("no control plane runs")?,
    }
    if stopped {
        Ok(Exit::SUCCESS)
    } else {
        Ok(Exit::NOT_FOUND)
    }
}

/// Prints what the official SDKs need, for `eval`.
pub(crate) fn env(args: StateOnlyArgs) -> Result<Exit, CliError> {
    let address = StateDir::named(args.state.state_dir)?.address()?;
    let ControlAddress { url, key, .. } = &address;
    if args.format.json {
        let variables = json!({ "DAYTONA_API_URL": url, "DAYTONA_API_KEY": key });
        output::line(&variables.to_string())?;
    } else {
        output::line(&format!("export DAYTONA_API_URL={}", quote(url)))?;
        output::line(&format!("export DAYTONA_API_KEY={}", quote(key)))?;
    }
    Ok(Exit::SUCCESS)
}

/// What becomes of the sandboxes when a control plane ends.
const RUN_ON: &str =
    "the control plane has ended; its sandboxes run on, and `sandbox up` finds them";

/// Prints where the control plane is, and how to use it.
fn show(dir: &StateDir, address: &ControlAddress, args: &UpArgs) -> Result<(), CliError> {
    if args.format.json {
        let shown = json!({ "url": address.url, "stateDir": dir.path().to_string_lossy() });
        return output::line(&shown.to_string());
    }
    let option = match &args.state.state_dir {
        Some(_) => format!(" --state-dir {}", quote(&dir.path().to_string_lossy())),
        None => String::new(),
    };
    output::line(&format!("control plane  {}", address.url))?;
    let page = address.url.strip_suffix("api").unwrap_or(&address.url);
    output::line(&format!("page           {page}"))?;
    output::line(&format!("state          {}", dir.path().display()))?;
    output::line(&format!("for SDKs       eval \"$(sandbox env{option})\""))?;
    let environment = match &args.state.state_dir {
        Some(_) => "after that, ",
        None => "",
    };
    output::line(&format!(
        "try            {environment}sandbox create web; sandbox exec -s web 'uname -a'"
    ))
}

fn network(text: &str) -> Result<LocalNetwork, String> {
    let found = NETWORKS.iter().find(|(name, _)| *name == text);
    match found {
        Some((_, network)) => Ok(*network),
        None => Err("expected user, host or none".to_owned()),
    }
}

/// The networks by their names.
const NETWORKS: [(&str, LocalNetwork); 3] = [
    ("user", LocalNetwork::User),
    ("host", LocalNetwork::Host),
    ("none", LocalNetwork::None),
];

fn image(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, root)) if !name.is_empty() && !root.is_empty() => {
            Ok((name.to_owned(), root.into()))
        }
        _ => Err("expected NAME=DIR".to_owned()),
    }
}

/// Returns the key that was given, or that of the directory.
fn key(dir: &StateDir, args: &UpArgs) -> Result<String, CliError> {
    if let Some(path) = &args.key_file {
        return Ok(sandbox_daemon::Token::from_file(path)?.into_string());
    }
    let given: Option<OsString> = std::env::var_os(KEY_VARIABLE);
    match given.filter(|key| !key.is_empty()) {
        Some(key) => Ok(key.to_string_lossy().into_owned()),
        None => dir.key(),
    }
}
