//! Opens a state directory, and finds what a former provider has left.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use sandbox_daemon::doors::chain;
use sandbox_engine::isolation::{DetachedProcess, probe_detached};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::blocking::blocking;
use super::bounds::{Bounds, Wanted};
use super::changed::Changed;
use super::entry::Entry;
use super::launch::{Hidden, Users};
use super::lifecycle::end;
use super::network::{LocalNetwork, Outside};
use super::record::Record;
use super::store::{Durability, Store};
use super::{Inner, Local};
use crate::error::Error;
use crate::limits::{SANDBOXES, START, STARTS};
use crate::sandbox::{SandboxId, State, Stop};

/// Configures a [`Local`].
#[derive(Debug, Clone)]
#[must_use]
pub struct LocalBuilder {
    state_dir: PathBuf,
    images: HashMap<String, PathBuf>,
    hidden: Vec<PathBuf>,
    most: usize,
    wanted: Wanted,
    network: Option<LocalNetwork>,
}

impl Local {
    /// Returns a builder of a provider whose sandboxes are in this directory.
    ///
    /// The directory is created if it is missing. It must belong to this user alone, and serves one provider at a time.
    pub fn builder(state_dir: impl Into<PathBuf>) -> LocalBuilder {
        LocalBuilder {
            state_dir: state_dir.into(),
            images: HashMap::new(),
            hidden: Vec::new(),
            most: SANDBOXES,
            wanted: Wanted::default(),
            network: None,
        }
    }
}

impl Local {
    /// Returns what sandboxes of a provider with default settings would lack on this machine: see [`warnings`](Self::warnings).
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unsupported`] if sandboxes cannot be isolated here.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the processes by which the machine is tried are ended.
    pub async fn examine() -> Result<Vec<String>, Error> {
        let probed = probe_detached().await;
        probed.map_err(|error| Error::unsupported(chain(&error)))?;
        let (_, network) = Outside::find(None).await?;
        let limits = blocking(|| Ok(Bounds::default().warning())).await?;
        Ok(limits.into_iter().chain(network).collect())
    }
}

impl LocalBuilder {
    /// Registers a directory of this machine as the root of sandboxes that ask for the image `name`.
    ///
    /// It is read-only to them. It needs the directories `/proc`, `/dev`, `/run`, `/tmp`, `/var/tmp` and `/home`, the files
    /// `/etc/passwd` and `/etc/group`, and the libraries that this program is linked to.
    pub fn image(mut self, name: impl Into<String>, root: impl Into<PathBuf>) -> Self {
        self.images.insert(name.into(), root.into());
        self
    }

    /// Hides a file or a directory of this machine from all sandboxes, such as one with a key. The state directory is hidden
    /// in any case, and one hidden here may be above it.
    pub fn hide(mut self, path: impl Into<PathBuf>) -> Self {
        self.hidden.push(path.into());
        self
    }

    /// Sets how many sandboxes there may be, stopped ones included. Default: [`SANDBOXES`].
    pub fn max_sandboxes(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Sets the network of sandboxes that are not without one. Default: [`LocalNetwork::User`] where that can be had, else
    /// [`LocalNetwork::None`], and [`Local::warnings`] says so.
    pub fn network(mut self, network: LocalNetwork) -> Self {
        self.network = Some(network);
        self
    }

    /// Sets the bytes of memory of sandboxes whose description has none. Default: half of the machine's, where memory can be limited.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.wanted.memory = Some(bytes);
        self
    }

    /// Sets how many processes and threads each sandbox may have, with those of its daemon. Default:
    /// [`PROCESSES`](crate::limits::PROCESSES), where they can be limited.
    pub fn processes(mut self, most: u32) -> Self {
        self.wanted.processes = Some(most);
        self
    }

    /// Makes the control groups that limit sandboxes in this control group of version 2, which must have been delegated to this
    /// user, and has no processes itself. Default: where this process may make groups.
    pub fn cgroup(mut self, path: impl Into<PathBuf>) -> Self {
        self.wanted.cgroup = Some(path.into());
        self
    }

    /// Opens the provider: checks that this machine allows what isolates a sandbox, finds the sandboxes that run, and removes
    /// those that were being created or deleted when a former provider ended.
    ///
    /// To be called within a tokio runtime, which notices from then on when a sandbox ends by itself.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unsupported`] if sandboxes cannot be isolated or not be limited as configured here, [`Error::Invalid`] if an image is not a directory, and
    /// [`Error::Failed`] if the state directory cannot be used or another provider uses it.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the directory is unlocked again. What was not removed so far is removed by the next provider.
    pub async fn open(self) -> Result<Local, Error> {
        let probed = probe_detached().await;
        probed.map_err(|error| Error::unsupported(chain(&error)))?;
        let Self {
            state_dir,
            images,
            hidden,
            most,
            wanted,
            network,
        } = self;
        let (outside, warning) = Outside::find(network).await?;
        let images = images.into_iter().map(|(name, root)| {
            let real = std::fs::canonicalize(&root)
                .ok()
                .filter(|real| real.is_dir());
            let real = real.ok_or_else(|| {
                Error::invalid(format!(
                    "the image {name} is no directory: {}",
                    root.display()
                ))
            });
            Ok((name, real?))
        });
        let images = images.collect::<Result<_, Error>>()?;
        let users = Users::of_this_process(most)
            .map_err(|error| Error::failed("cannot give sandboxes users of their own", error))?;
        let ((bounds, warnings), (store, lock), found, records) = blocking(move || {
            let bounds = Bounds::new(wanted)?;
            let warnings = { bounds.warning().into_iter() }.chain(warning).collect();
            let opened = Store::open(&state_dir)?;
            let found = DetachedProcess::find_all();
            let found = found.map_err(|error| Error::failed("cannot list processes", error))?;
            let records = opened.0.load()?;
            Ok(((bounds, warnings), opened, found, records))
        })
        .await?;
        let inner = Arc::new(Inner {
            hidden: Hidden::new(store.path(), hidden)?,
            store: Arc::new(store),
            images,
            most,
            users,
            bounds,
            outside,
            warnings,
            entries: Mutex::default(),
            starts: Semaphore::new(STARTS),
            changed: Changed::default(),
            _lock: lock,
        });
        inner.recover(records, found.into_iter().collect()).await?;
        Ok(Local { inner })
    }
}

impl Inner {
    async fn recover(
        self: &Arc<Self>,
        records: Vec<Record>,
        mut found: HashMap<String, DetachedProcess>,
    ) -> Result<(), Error> {
        for record in records {
            let process = found.remove(&record.id).map(Arc::new);
            self.restore(record, process).await?;
        }
        // The files of sandboxes whose record was removed already.
        for id in self.store.with_files()? {
            if self.entries().contains_key(&id) {
                continue;
            }
            if let Some(process) = found.remove(id.as_str()) {
                end(&Arc::new(process), Stop::Kill).await?;
            }
            self.remove_rest(id).await;
        }
        Ok(())
    }

    async fn restore(
        self: &Arc<Self>,
        record: Record,
        process: Option<Arc<DetachedProcess>>,
    ) -> Result<(), Error> {
        let slot = record.slot;
        let former = record.sandbox();
        let entry = Arc::new(Entry::new(former.clone(), slot));
        let mut kept = None;
        let (state, reason) = match (former.state, process) {
            (State::Creating | State::Deleting, process) => {
                if let Some(process) = process {
                    end(&process, Stop::Kill).await?;
                }
                self.remove_rest(former.id).await;
                return Ok(());
            }
            (State::Started | State::Starting | State::Paused, Some(process)) => {
                if self.is_usable(&former.id, former.state, &process).await {
                    let state = match former.state {
                        State::Paused => State::Paused,
                        _ => State::Started,
                    };
                    kept = Some(process);
                    (state, None)
                } else {
                    end(&process, Stop::Kill).await?;
                    match former.state {
                        // The former provider ended before it had started it: nothing ran in it yet.
                        State::Starting => (State::Stopped, None),
                        _ => (State::Error, Some("the sandbox did not respond")),
                    }
                }
            }
            (State::Started | State::Paused, None) => (
                State::Error,
                Some("the sandbox ended while no provider ran"),
            ),
            (State::Error, process) => {
                if let Some(process) = process {
                    end(&process, Stop::Kill).await?;
                }
                (State::Error, former.reason.as_deref())
            }
            (_, process) => {
                if let Some(process) = process {
                    end(&process, Stop::Kill).await?;
                }
                (State::Stopped, None)
            }
        };
        if state != former.state {
            let sandbox = entry.in_state(state, reason.map(str::to_owned));
            let (store, record) = (Arc::clone(&self.store), entry.record(&sandbox));
            // It is found in this state again if it cannot be stored.
            let saved = blocking(move || store.save(&record, Durability::Machine)).await;
            if let Err(error) = saved {
                tracing::warn!(id = %sandbox.id, %error, "the state of a sandbox is not stored");
            }
            entry.publish(sandbox);
        }
        if kept.is_none() {
            self.remove_group(&former.id).await;
        }
        if let Some(process) = kept {
            entry.live.lock().await.process = Some(Arc::clone(&process));
            self.watch(&entry, process);
        }
        self.entries().insert(former.id, entry);
        Ok(())
    }

    /// Returns whether a sandbox that was found is as it is to be. One that was frozen for a copy continues.
    async fn is_usable(
        &self,
        id: &SandboxId,
        state: State,
        process: &Arc<DetachedProcess>,
    ) -> bool {
        if state == State::Paused {
            return true;
        }
        let frozen = Arc::clone(process);
        let thawed = blocking(move || {
            if frozen.is_frozen() {
                frozen.thaw();
            }
            Ok(())
        });
        thawed.await.is_ok() && matches!(timeout(START, self.responds(id)).await, Ok(Ok(())))
    }

    /// Removes what is left of a sandbox. What cannot be removed is left to the next provider, and keeps no other from being used.
    async fn remove_rest(&self, id: SandboxId) {
        if let Err(error) = self.remove_all(&id).await {
            let error = chain(&error);
            tracing::warn!(%id, error, "the rest of a sandbox cannot be removed");
        }
    }
}
