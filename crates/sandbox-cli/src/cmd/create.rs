//! `sandbox create`: creates a sandbox.

use std::time::Duration;

use clap::Args;
use sandbox_process::{CreateSandbox, Language, Sandboxes};
use uuid::Uuid;

use super::list::describe;
use crate::args::{FormatArgs, interval, lifetime, one_of, variable};
use crate::control::with_sandboxes;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{exit, output};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// Its files: a directory that `sandbox up --image NAME=DIR` registered, or a snapshot [default: those of the machine]
    #[arg(long, value_name = "NAME")]
    image: Option<String>,

    /// Set an environment variable of everything that runs in it
    #[arg(long = "env", short, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,

    /// Set a label, to find it by
    #[arg(long = "label", short, value_name = "NAME=VALUE", value_parser = variable)]
    labels: Vec<(String, String)>,

    /// Run everything as this user [default: daytona]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// The language of programs that name none
    #[arg(
        long,
        value_parser = one_of([Language::Python, Language::JavaScript, Language::TypeScript])
    )]
    language: Option<Language>,

    /// Give it no network
    #[arg(long)]
    no_network: bool,

    /// The number of processors
    #[arg(long, value_name = "COUNT")]
    cpus: Option<u32>,

    /// The memory, in GiB
    #[arg(long, value_name = "GIB")]
    memory: Option<u32>,

    /// Stop it after it was idle for this long, in whole minutes: 15m, 2h, never [default of `sandbox up`: 15m]
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    auto_stop: Option<Duration>,

    /// Delete it after it was stopped for this long, in whole minutes; 0s: when it stops
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    auto_delete: Option<Duration>,

    /// Delete it this long after its creation, in whole minutes
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    ttl: Option<Duration>,

    /// Its name [default: a random one, such as box-4f2c1a]
    name: Option<String>,
}

/// Prints the name, by which every other subcommand finds it.
pub(crate) fn run(args: CreateArgs) -> Result<Exit, CliError> {
    let is_json = args.format.json;
    with_sandboxes(async move |sandboxes| {
        let created = args.builder(&sandboxes).await;
        let sandbox = created.map_err(CliError::Control)?;
        if is_json {
            output::line(&describe(&sandbox.info()).to_string())?
        } else {
            output::line(&output::printable(&sandbox.name()))?
        }
        Ok(Exit::SUCCESS)
    })
}

impl CreateArgs {
    fn builder(self, sandboxes: &Sandboxes) -> CreateSandbox {
        let name = self.name.unwrap_or_else(random_name);
        let mut create = sandboxes.create().name(name).envs(self.env);
        for (name, value) in self.labels {
            create = create.label(name, value);
        }
        if let Some(language) = self.language {
            create = create.language(language);
        }
        if let Some(image) = self.image {
            create = create.image(image);
        }
        if let Some(user) = self.user {
            create = create.user(user);
        }
        if self.no_network {
            create = create.block_network();
        }
        if let Some(count) = self.cpus {
            create = create.cpus(count);
        }
        if let Some(gib) = self.memory {
            create = create.memory_gib(gib);
        }
        if let Some(after) = self.auto_stop {
            create = create.auto_stop(after);
        }
        if let Some(after) = self.auto_delete {
            create = create.auto_delete(after);
        }
        if let Some(after) = self.ttl {
            create = create.ttl(after);
        }
        create
    }
}

/// Returns a name that is shorter to type than the id, which control planes choose for want of one.
fn random_name() -> String {
    let id = Uuid::new_v4().simple().to_string();
    format!("box-{}", &id[..6])
}
