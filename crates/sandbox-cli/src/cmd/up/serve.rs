//! The control plane in this process.

use std::sync::Arc;

use sandbox_control::{Config, Server};
use sandbox_process::ControlAddress;
use sandbox_provider::Local;

use super::{RUN_ON, UpArgs, key, show};
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupts;
use crate::output;
use crate::state::StateDir;
use crate::target::runtime;

/// Adds the SSH gateway to a configuration, unless it is to be left out.
#[cfg(feature = "ssh")]
fn with_ssh(mut config: Config, dir: &StateDir, args: &UpArgs) -> Config {
    if !args.no_ssh {
        let host_key = dir.file("ssh_host_ed25519_key");
        config.ssh = Some(sandbox_control::SshConfig::new(args.ssh, host_key));
    }
    config
}

/// Serves until SIGINT or SIGTERM; sandboxes run on after that.
pub(super) fn run(dir: &StateDir, args: &UpArgs) -> Result<Exit, CliError> {
    if args.detached {
        rustix::process::setsid().map_err(|error| CliError::Runtime(error.into()))?;
    }
    sandbox_daemon::cli::start_log();
    let _lock = dir.lock()?;
    let key = key(dir, args)?;
    runtime()?.block_on(async {
        // Before its address is printed.
        let mut interrupts = Interrupts::listen()?;
        // Beside the sandboxes there is the key, which they may not read: as an ordinary user's they have the same owner.
        let mut local = Local::builder(dir.file("sandboxes")).hide(dir.path());
        if let Some(file) = &args.key_file {
            local = local.hide(file);
        }
        for (name, root) in &args.images {
            local = local.image(name, root);
        }
        if let Some(most) = args.max_sandboxes {
            local = local.max_sandboxes(most);
        }
        if let Some(network) = args.network {
            local = local.network(network);
        }
        if let Some(bytes) = args.memory {
            local = local.memory(bytes);
        }
        if let Some(most) = args.processes {
            local = local.processes(most);
        }
        if let Some(group) = &args.cgroup {
            local = local.cgroup(group);
        }
        let provider = Arc::new(local.open().await?);
        // From here on, this process is a control plane and nothing else.
        tokio::spawn(sandbox_daemon::return_freed());
        for warning in provider.warnings() {
            output::note(&format!("{}{warning}", super::background::WARNING))?;
        }
        let config = Config::new(args.listen, &key);
        #[cfg(feature = "ssh")]
        let config = with_ssh(config, dir, args);
        let server = Server::bind(config, provider).await?;
        let url = format!("http://{}/api", server.local_addr());
        let address = ControlAddress::new(url, key);
        dir.publish(&address)?;
        let shown = if args.detached {
            output::line(super::background::READY)
        } else {
            show(dir, &address, args)
        };
        if shown.is_ok() {
            server
                .serve(async {
                    interrupts.leave().await;
                })
                .await;
        }
        dir.retract();
        shown?;
        if !args.detached {
            output::note(RUN_ON)?;
        }
        Ok(Exit::SUCCESS)
    })
}
