//! `sandbox pty`: terminals that stay, and this one tied to one of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use sandbox_transport::{ProcessApi, PtyAttachRequest, PtyConnection, PtyEvent};
use sandbox_wire::rest::{PtyCreateRequest, PtyResizeRequest};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{TargetArgs, variable};
use crate::detach::{DetachKeys, Watch};
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::terminal::{self, Raw};
use crate::{output, target};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = exit::TABLE)]
pub(crate) struct PtyArgs {
    #[command(subcommand)]
    verb: Option<Verb>,

    #[command(flatten)]
    open: OpenArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Open a terminal and attach to it; what is done without a subcommand
    Open(OpenArgs),
    /// Attach to a terminal that is there
    Attach {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        keys: KeyArgs,
        /// The terminal's id
        id: String,
    },
    /// List the terminals
    List {
        #[command(flatten)]
        target: TargetArgs,
    },
    /// End terminals with all that runs in them
    Kill {
        #[command(flatten)]
        target: TargetArgs,
        /// The terminals' ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Set the size of a terminal
    Resize {
        #[command(flatten)]
        target: TargetArgs,
        /// The terminal's id
        id: String,
        /// Columns, 1 to 1000
        columns: u16,
        /// Rows, 1 to 1000
        rows: u16,
    },
}

#[derive(Debug, Args)]
struct OpenArgs {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    keys: KeyArgs,

    /// The terminal's id [default: a random one]
    #[arg(long)]
    id: Option<String>,

    /// Start it in this directory [default: this one, if the sandbox is this machine]
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,

    /// Set a variable
    #[arg(long = "env", short, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,

    /// Open it and print its id, without attaching
    #[arg(long, short)]
    detach: bool,
}

#[derive(Debug, Args)]
struct KeyArgs {
    /// The keys that leave the terminal without ending it
    #[arg(long, value_name = "KEYS", default_value = "ctrl-],d")]
    detach_keys: DetachKeys,
}

type Api = Arc<dyn ProcessApi>;

pub(crate) fn run(args: PtyArgs, is_json: bool, token: Option<OsString>) -> Result<Exit, CliError> {
    match args.verb.unwrap_or(Verb::Open(args.open)) {
        Verb::Open(args) => open(args, is_json, token),
        Verb::Attach { target, keys, id } => target::with_api(target, token, async |api| {
            need_terminal()?;
            let connection = api.connect_pty(PtyAttachRequest::new(&id)).await?;
            attach(&api, connection, keys, is_json).await
        }),
        Verb::List { target } => {
            target::with_api(target, token, async |api| list(&api, is_json).await)
        }
        Verb::Kill { target, ids } => target::with_api(target, token, async |api| {
            for id in &ids {
                api.delete_pty(id).await?;
            }
            if is_json {
                output::line(&json!({ "deleted": ids }).to_string());
            }
            Ok(Exit::SUCCESS)
        }),
        Verb::Resize {
            target,
            id,
            columns: cols,
            rows,
        } => target::with_api(target, token, async |api| {
            let resized = api.resize_pty(&id, PtyResizeRequest { cols, rows }).await?;
            if is_json {
                output::line(&json!(resized).to_string());
            }
            Ok(Exit::SUCCESS)
        }),
    }
}

fn open(args: OpenArgs, is_json: bool, token: Option<OsString>) -> Result<Exit, CliError> {
    let (cols, rows) = terminal::size();
    let here = std::env::current_dir()
        .ok()
        .filter(|_| args.target.url.is_none());
    let here = here.as_deref().and_then(Path::to_str).map(str::to_owned);
    let mut env: BTreeMap<_, _> = args
        .env
        .into_iter()
        .map(|(name, value)| (name, Some(value)))
        .collect();
    // Programs in there draw for this terminal.
    if let Ok(term) = std::env::var("TERM") {
        env.entry("TERM".to_owned()).or_insert(Some(term));
    }
    let request = PtyCreateRequest {
        id: args.id.unwrap_or_else(random_id),
        cwd: args.cwd.or(here),
        envs: Some(env),
        cols: Some(cols),
        rows: Some(rows),
        lazy_start: None,
    };
    if !args.detach {
        need_terminal()?;
    }
    target::with_api(args.target, token, async |api| {
        if args.detach {
            let id = api.create_pty(request).await?;
            match is_json {
                true => output::line(&json!({ "id": id }).to_string()),
                false => output::line(&id),
            }
            return Ok(Exit::SUCCESS);
        }
        let connection = api.open_pty(request).await?;
        attach(&api, connection, args.keys, is_json).await
    })
}

/// Ties this terminal to `connection` until its program ends or the keys are typed.
async fn attach(
    api: &Api,
    mut connection: PtyConnection,
    keys: KeyArgs,
    is_json: bool,
) -> Result<Exit, CliError> {
    let id = connection.id.clone();
    let mut resized = signal(SignalKind::window_change()).map_err(CliError::Runtime)?;
    resize(api, &id).await;
    let raw = Raw::begin().map_err(CliError::Terminal)?;
    let mut typed = terminal::input();
    let mut watch = Watch::new(keys.detach_keys);
    let ended = loop {
        tokio::select! {
            // What is typed comes first: a flood must not keep the keys from being seen.
            biased;
            Some(chunk) = typed.recv() => {
                let (pass, detached) = watch.look(&chunk);
                if !pass.is_empty() && let Err(error) = connection.control.write(pass.into()).await {
                    break Err(error.into());
                }
                if detached {
                    drop(raw);
                    match is_json {
                        true => output::line(&json!({ "id": id, "detached": true }).to_string()),
                        false => output::note(&format!("\ndetached; `sandbox pty attach {id}` comes back")),
                    }
                    return Ok(Exit::SUCCESS);
                }
            }
            _ = resized.recv() => resize(api, &id).await,
            event = connection.events.next() => match event {
                Some(Ok(PtyEvent::Output { bytes })) => {
                    let mut stdout = io::stdout();
                    if let Err(error) = stdout.write_all(&bytes).and_then(|()| stdout.flush()) {
                        break Err(CliError::Write(error));
                    }
                }
                Some(Ok(PtyEvent::Exited { exit_code, .. })) => break Ok(exit_code),
                // A program that draws will draw again.
                Some(Ok(_)) => {}
                Some(Err(error)) => break Err(error.into()),
                None => break Ok(None),
            },
        }
    };
    drop(raw);
    let code = ended?;
    if is_json {
        output::line(&json!({ "id": id, "exitCode": code }).to_string());
    }
    Ok(Exit::of_code(code))
}

/// Makes the terminal as large as this one. It may have ended meanwhile.
async fn resize(api: &Api, id: &str) {
    let (cols, rows) = terminal::size();
    let _ = api.resize_pty(id, PtyResizeRequest { cols, rows }).await;
}

async fn list(api: &Api, is_json: bool) -> Result<Exit, CliError> {
    let terminals = api.list_ptys().await?;
    if is_json {
        output::line(&json!(terminals).to_string());
        return Ok(Exit::SUCCESS);
    }
    for terminal in &terminals {
        let state = if terminal.active {
            "running"
        } else {
            "not running"
        };
        output::line(&format!(
            "{}  {}x{}  {state}  {}",
            terminal.id, terminal.cols, terminal.rows, terminal.cwd
        ));
    }
    Ok(Exit::SUCCESS)
}

fn need_terminal() -> Result<(), CliError> {
    match terminal::is_interactive() {
        true => Ok(()),
        false => Err(CliError::NoTerminal),
    }
}

/// Short, since people type it.
fn random_id() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id[..8].to_owned()
}
