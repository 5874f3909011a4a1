//! `sandbox pty`: terminals, and this one attached to one of them.

use std::ffi::OsString;
use std::path::Path;

use clap::{Args, Subcommand};
use sandbox_process::{Bytes, Error, Process, PtyHandle, PtyInfo, PtySize};
use serde_json::{Value, json};

use crate::args::{
    FormatArgs, IsolationArgs, KeyArgs, ResourceArgs, TargetArgs, limit, passed_variable,
};
use crate::attach::{self, Detached, Remote};
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::{output, target, terminal};

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
    /// Open a terminal and attach to it (the default)
    Open(OpenArgs),
    /// Attach to an existing terminal
    Attach {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        keys: KeyArgs,
        /// The terminal's id
        id: String,
    },
    /// List the terminals
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Kill terminals and everything that runs in them
    #[command(visible_aliases = ["rm", "delete"])]
    Kill {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        format: FormatArgs,
        /// The terminals' ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Set the size of a terminal
    Resize {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        format: FormatArgs,
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
    resources: ResourceArgs,

    #[command(flatten)]
    keys: KeyArgs,

    #[command(flatten)]
    isolation: IsolationArgs,

    /// The terminal's id [default: a random one]
    #[arg(long)]
    id: Option<String>,

    /// Start it in this directory [default: this one, if the sandbox is this machine]
    #[arg(long, short = 'w', visible_alias = "workdir", value_name = "DIR")]
    cwd: Option<String>,

    /// Set an environment variable; NAME alone passes this program's own on
    #[arg(long = "env", short, value_name = "NAME[=VALUE]", value_parser = passed_variable)]
    env: Vec<(String, String)>,

    /// Open it and print its id, without attaching
    #[arg(long, short)]
    detach: bool,

    /// Print one JSON value instead of the id
    #[arg(long, requires = "detach")]
    json: bool,
}

impl PtyArgs {
    pub(crate) fn is_json(&self) -> bool {
        match &self.verb {
            None => self.open.json,
            Some(Verb::Open(args)) => args.json,
            Some(Verb::Attach { .. }) => false,
            Some(
                Verb::List { format, .. } | Verb::Kill { format, .. } | Verb::Resize { format, .. },
            ) => format.json,
        }
    }
}

pub(crate) fn run(args: PtyArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    match args.verb.unwrap_or(Verb::Open(args.open)) {
        Verb::Open(args) => open(args, token),
        Verb::Attach { target, keys, id } => target::with_kept(target, token, async |process| {
            need_terminal()?;
            attach(process.pty(&id).attach().await?, keys).await
        }),
        Verb::List { target, format } => target::with_kept(target, token, async |process| {
            list(&process, format.json).await
        }),
        Verb::Kill {
            target,
            format,
            ids,
        } => target::with_kept(target, token, async |process| {
            for id in &ids {
                process.pty(id).kill().await?;
            }
            output::done(format.json, &json!({ "killed": ids }))?;
            Ok(Exit::SUCCESS)
        }),
        Verb::Resize {
            target,
            format,
            id,
            columns: cols,
            rows,
        } => target::with_kept(target, token, async |process| {
            let size = PtySize { rows, cols };
            let resized = process.pty(&id).resize(size).await?;
            output::done(format.json, &described(&resized))?;
            Ok(Exit::SUCCESS)
        }),
    }
}

fn open(args: OpenArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    let here = std::env::current_dir()
        .ok()
        .filter(|_| args.target.is_here());
    let here = here.as_deref().and_then(Path::to_str).map(str::to_owned);
    if !args.detach {
        need_terminal()?;
    }
    target::with_kept(args.target, token, async |process| {
        let id = args.id.unwrap_or_else(super::random_id);
        let mut pty = process.create_pty(id).size(terminal::pty_size());
        // Programs in there draw for this terminal.
        if let Ok(term) = std::env::var("TERM") {
            pty = pty.env("TERM", term);
        }
        pty = limit!(pty.envs(args.env), args.resources);
        if let Some(isolation) = args.isolation.isolation() {
            pty = pty.isolation(isolation);
        }
        if let Some(cwd) = args.cwd.or(here) {
            pty = pty.cwd(cwd);
        }
        if args.detach {
            let pty = pty.detached().await?;
            if args.json {
                output::line(&json!({ "id": pty.id() }).to_string())?
            } else {
                output::line(pty.id())?
            }
            return Ok(Exit::SUCCESS);
        }
        attach(pty.await?, args.keys).await
    })
}

/// Attaches this terminal to `pty` until its shell ends or the keys are typed.
async fn attach(mut pty: PtyHandle, keys: KeyArgs) -> Result<Exit, CliError> {
    match attach::attach(&mut pty, keys.detach_keys).await? {
        Detached::Ended => Ok(Exit::of_code(pty.exit_code())),
        Detached::ByKeys => {
            let id = pty.id();
            output::note(&format!("\ndetached; `sandbox pty attach {id}` comes back"))?;
            Ok(Exit::SUCCESS)
        }
        Detached::BySignal(exit) => Ok(exit),
    }
}

impl Remote for PtyHandle {
    async fn write(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.write(bytes).await
    }

    async fn resize(&self, size: PtySize) -> Result<(), Error> {
        self.resize(size).await.map(drop)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        self.next().await
    }
}

async fn list(process: &Process, is_json: bool) -> Result<Exit, CliError> {
    let terminals = process.list_ptys().await?;
    if is_json {
        let terminals: Value = terminals.iter().map(described).collect();
        output::line(&terminals.to_string())?;
        return Ok(Exit::SUCCESS);
    }
    let rows = terminals.iter().map(|terminal| {
        let state = if terminal.active {
            "running"
        } else {
            "not running"
        };
        let size = format!("{}x{}", terminal.cols, terminal.rows);
        [
            terminal.id.clone(),
            size,
            state.to_owned(),
            terminal.cwd.clone(),
        ]
    });
    output::table(["TERMINAL", "SIZE", "STATE", "DIRECTORY"], rows)?;
    Ok(Exit::SUCCESS)
}

fn described(terminal: &PtyInfo) -> Value {
    let created_at = terminal.created_at.map(humantime::format_rfc3339_nanos);
    json!({
        "id": terminal.id,
        "cwd": terminal.cwd,
        "envs": terminal.envs,
        "cols": terminal.cols,
        "rows": terminal.rows,
        "createdAt": created_at.map(|at| at.to_string()),
        "active": terminal.active,
        "lazyStart": terminal.lazy_start,
    })
}

fn need_terminal() -> Result<(), CliError> {
    if terminal::is_interactive() {
        Ok(())
    } else {
        Err(CliError::NoTerminal)
    }
}
