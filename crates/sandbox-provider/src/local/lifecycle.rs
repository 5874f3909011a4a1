//! The changes of sandboxes, each of which is complete and stored when it returns.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sandbox_engine::isolation::DetachedProcess;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use uuid::Uuid;

use super::blocking::blocking;
use super::bounds::Bounds;
use super::entry::{Entry, Live};
use super::store::Durability;
use super::{ISOLATION, Inner, copy, launch, validate};
use crate::error::Error;
use crate::limits::{KILL, START, STOP};
use crate::sandbox::{Change, Sandbox, SandboxId, Spec, State, Stop};

impl Inner {
    /// Creates a sandbox, with a copy of the home of `source` if there is one.
    pub(super) async fn create(
        self: &Arc<Self>,
        mut spec: Spec,
        source: Option<Arc<Entry>>,
    ) -> Result<Sandbox, Error> {
        if let Some(source) = &source {
            let Spec {
                image, resources, ..
            } = source.sandbox().spec;
            spec.image = spec.image.or(image);
            spec.resources.cpus = spec.resources.cpus.or(resources.cpus);
            spec.resources.memory = spec.resources.memory.or(resources.memory);
        }
        validate::spec(&spec, &self.images)?;
        let inner = Arc::clone(self);
        let spec = blocking(move || {
            inner.bounds.check(&spec.resources)?;
            inner.bounds.complete(&mut spec.resources);
            Ok(spec)
        })
        .await?;
        let entry = self.reserve(spec)?;
        self.complete(&entry, source.as_deref()).await
    }

    /// Creates everything of a sandbox whose name and place are reserved.
    async fn complete(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        source: Option<&Entry>,
    ) -> Result<Sandbox, Error> {
        let mut live = entry.live.lock().await;
        // It is listed already, so another client may have deleted it before there was anything of it.
        live.check(entry)?;
        let made = self.make(entry, &mut live, source).await;
        if let Err(mut error) = made {
            // The daemon needs space, too, and says so only in its log.
            if self.store.is_full() {
                error = Error::full();
            }
            // What cannot be removed now is removed by the next provider.
            if let Err(error) = self.discard(entry, &mut live).await {
                tracing::warn!(%error, "a sandbox that was not created is left");
            }
            return Err(error);
        }
        Ok(entry.sandbox())
    }

    /// Reserves the name and the place of a sandbox.
    fn reserve(&self, mut spec: Spec) -> Result<Arc<Entry>, Error> {
        let id = SandboxId::new(Uuid::new_v4().to_string());
        let name = spec.name.get_or_insert_with(|| id.to_string()).clone();
        spec.user.get_or_insert_with(|| launch::USER.to_owned());
        let mut entries = self.entries();
        if entries.values().any(|entry| entry.has_name(&name)) {
            return Err(Error::NameTaken { name });
        }
        if entries.len() >= self.most {
            return Err(Error::Exhausted {
                what: format!("there are {} sandboxes; help: delete some", self.most),
            });
        }
        let is_free = |slot: &u32| entries.values().all(|entry| entry.slot != *slot);
        let slot = (0..u32::MAX).find(is_free).unwrap_or(u32::MAX);
        let now = SystemTime::now();
        let sandbox = Sandbox {
            id: id.clone(),
            spec,
            state: State::Creating,
            reason: None,
            isolation: ISOLATION.to_owned(),
            created_at: now,
            updated_at: now,
            state_since: now,
        };
        let entry = Arc::new(Entry::new(sandbox, slot));
        entries.insert(id, Arc::clone(&entry));
        Ok(entry)
    }

    async fn make(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        live: &mut Live,
        source: Option<&Entry>,
    ) -> Result<(), Error> {
        let (creating, started) = (entry.sandbox(), entry.in_state(State::Started, None));
        // At the same time, since the disk takes its time: the next provider removes files without a record as it does those of a
        // sandbox that was being created. Neither is dropped when the other has failed: what was made is removed after both.
        let written = async {
            self.save(entry, &creating, Durability::Process).await?;
            self.write(entry, &started).await
        };
        let made = self.make_files(entry, live, source);
        let (written, made) = tokio::join!(written, Box::pin(made));
        let written = written?;
        // While what was written still takes its space.
        if made.is_err() && self.store.is_full() {
            return Err(Error::full());
        }
        made?;
        self.put(entry, written, started).await
    }

    /// Creates the files of a sandbox, and starts it.
    async fn make_files(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        live: &mut Live,
        source: Option<&Entry>,
    ) -> Result<(), Error> {
        let (inner, id) = (Arc::clone(self), entry.sandbox().id);
        let owner = self.users.own(entry.slot);
        blocking(move || {
            let created = launch::create_files(&inner.store, &id, owner);
            created
                .map_err(|error| Error::of_files("cannot create the files of the sandbox", error))
        })
        .await?;
        if let Some(source) = source {
            self.copy_home(source, entry).await?;
        }
        self.launch(entry, live).await
    }

    /// Copies the home of a sandbox, whose processes do not run meanwhile.
    async fn copy_home(self: &Arc<Self>, source: &Entry, entry: &Entry) -> Result<(), Error> {
        let live = source.live.lock().await;
        live.check(source)?;
        let from = source.sandbox();
        let running = match from.state {
            State::Started => live.process.clone(),
            State::Stopped | State::Paused | State::Error => None,
            state => return Err(Error::WrongState { state }),
        };
        let home = |id: &SandboxId| self.store.data(id).join("home");
        let (from, to) = (home(&from.id), home(&entry.sandbox().id));
        let owner = self.users.own(entry.slot);
        blocking(move || {
            if let Some(process) = &running {
                let frozen = process.freeze();
                frozen.map_err(|error| Error::failed("cannot pause the sandbox", error))?;
            }
            let copied = copy::copy_tree(&from, &to, owner);
            if let Some(process) = &running {
                process.thaw();
            }
            copied.map_err(|error| Error::of_files("cannot copy the home directory", error))
        })
        .await
    }

    /// Starts the daemon, and waits until it responds.
    async fn launch(self: &Arc<Self>, entry: &Arc<Entry>, live: &mut Live) -> Result<(), Error> {
        let permit = self.starts.acquire().await;
        let _permit = permit.map_err(|error| Error::failed("cannot start the sandbox", error))?;
        let sandbox = entry.sandbox();
        let socket = self.store.bind(&sandbox.id)?;
        let (inner, limited) = (Arc::clone(self), sandbox.clone());
        let group = blocking(move || inner.bounds.make(&inner.store, &limited));
        let (inner, renewed, slot) = (Arc::clone(self), sandbox.clone(), entry.slot);
        let log = blocking(move || launch::renew_files(&inner, &renewed, slot));
        // Neither is dropped when the other has failed: what was made is removed after both.
        let (group, log) = tokio::join!(group, log);
        let start = launch::start(self, &sandbox, entry.slot, socket, log?, group?);
        let process = Arc::new(start.await?);
        let responds = async {
            tokio::select! {
                responds = self.responds(&sandbox.id) => responds,
                _ = process.ended() => Err(self.ended_by_itself(&sandbox.id)),
            }
        };
        let responds = in_time(START, "the sandbox does not respond", responds).await;
        // Before it may turn out that it cannot be ended now.
        live.process = Some(Arc::clone(&process));
        if let Err(error) = responds {
            end(&process, Stop::Kill).await?;
            live.process = None;
            return Err(error);
        }
        self.watch(entry, process);
        Ok(())
    }

    /// Starts a sandbox that was created before.
    async fn restart(self: &Arc<Self>, entry: &Arc<Entry>, live: &mut Live) -> Result<(), Error> {
        let started = entry.in_state(State::Started, None);
        let written = self.write(entry, &started);
        let (written, launched) = tokio::join!(written, Box::pin(self.launch(entry, live)));
        launched?;
        self.put(entry, written?, started).await
    }

    /// Ends what has started of a sandbox, which is as it was before, and returns `error`.
    async fn not_started(
        &self,
        entry: &Entry,
        live: &mut Live,
        former: Sandbox,
        error: Error,
    ) -> Result<Sandbox, Error> {
        if let Some(process) = live.process.take()
            && let Err(error) = end(&process, Stop::Kill).await
        {
            // It can be stopped again, or deleted.
            live.process = Some(process);
            let _ = self.settle(entry, State::Started).await;
            return Err(error);
        }
        self.remove_group(&former.id).await;
        entry.publish(former.clone());
        self.save(entry, &former, Durability::Process).await?;
        Err(error)
    }

    /// Asks the daemon of a sandbox whether it serves.
    pub(super) async fn responds(&self, id: &SandboxId) -> Result<(), Error> {
        let mut stream = self.store.connect(id).await?;
        let mut response = Vec::new();
        let exchange = async {
            let request = b"GET /healthz HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\r\n";
            stream.write_all(request).await?;
            stream.take(RESPONSE_BYTES).read_to_end(&mut response).await
        };
        let exchanged: std::io::Result<_> = exchange.await;
        exchanged.map_err(|error| Error::failed("the sandbox does not respond", error))?;
        if response.starts_with(b"HTTP/1.1 200 ") {
            Ok(())
        } else {
            Err(Error::failed(
                "the sandbox does not respond",
                "its daemon closed the connection",
            ))
        }
    }

    fn ended_by_itself(&self, id: &SandboxId) -> Error {
        Error::failed(
            "the sandbox ended when it started",
            self.store.end_of_log(id),
        )
    }

    /// Notices when a sandbox ends by itself.
    pub(super) fn watch(self: &Arc<Self>, entry: &Arc<Entry>, process: Arc<DetachedProcess>) {
        // Neither is retained: a provider that is dropped leaves its sandboxes running.
        let (inner, entry) = (Arc::downgrade(self), Arc::downgrade(entry));
        tokio::spawn(async move {
            if process.ended().await.is_err() {
                return;
            }
            let (Some(inner), Some(entry)) = (inner.upgrade(), entry.upgrade()) else {
                return;
            };
            let mut live = entry.live.lock().await;
            let is_it = |current: &Arc<_>| Arc::ptr_eq(current, &process);
            if !live.process.as_ref().is_some_and(is_it) {
                return;
            }
            live.process = None;
            let id = entry.sandbox().id;
            let reason = inner.reason(&id);
            inner.remove_group(&id).await;
            let sandbox = entry.in_state(State::Error, Some(reason));
            entry.publish(sandbox.clone());
            if let Err(error) = inner.save(&entry, &sandbox, Durability::Machine).await {
                tracing::warn!(%id, %error, "the end of a sandbox is not stored");
            }
            inner.changed.add(id);
        });
    }

    pub(super) async fn start(self: &Arc<Self>, entry: &Arc<Entry>) -> Result<Sandbox, Error> {
        let mut live = entry.live.lock().await;
        live.check(entry)?;
        match entry.state() {
            State::Started => {}
            State::Paused => {
                if let Some(process) = live.process.clone() {
                    blocking(move || {
                        process.thaw();
                        Ok(())
                    })
                    .await?;
                }
                self.settle(entry, State::Started).await?;
            }
            State::Stopped | State::Error => {
                let former = entry.sandbox();
                self.step(entry, State::Starting).await?;
                if let Err(error) = self.restart(entry, &mut live).await {
                    return self.not_started(entry, &mut live, former, error).await;
                }
            }
            state => return Err(Error::WrongState { state }),
        }
        Ok(entry.sandbox())
    }

    pub(super) async fn stop(&self, entry: &Entry, how: Stop) -> Result<Sandbox, Error> {
        let mut live = entry.live.lock().await;
        live.check(entry)?;
        match entry.state() {
            State::Stopped => return Ok(entry.sandbox()),
            State::Started | State::Paused | State::Error => {}
            state => return Err(Error::WrongState { state }),
        }
        // A full disk must not keep it running.
        let _ = self.step(entry, State::Stopping).await;
        if let Some(process) = live.process.take()
            && let Err(error) = end(&process, how).await
        {
            live.process = Some(process);
            let _ = self.settle(entry, State::Started).await;
            return Err(error);
        }
        let sandbox = entry.in_state(State::Stopped, None);
        self.remove_group(&sandbox.id).await;
        entry.publish(sandbox.clone());
        self.save(entry, &sandbox, Durability::Machine).await?;
        Ok(sandbox)
    }

    pub(super) async fn pause(&self, entry: &Entry) -> Result<Sandbox, Error> {
        let live = entry.live.lock().await;
        live.check(entry)?;
        match (entry.state(), live.process.clone()) {
            (State::Paused, _) => {}
            (State::Started, Some(process)) => {
                blocking(move || {
                    let frozen = process.freeze();
                    frozen.map_err(|error| Error::failed("cannot pause the sandbox", error))
                })
                .await?;
                self.settle(entry, State::Paused).await?;
            }
            (state, _) => return Err(Error::WrongState { state }),
        }
        Ok(entry.sandbox())
    }

    pub(super) async fn delete(&self, entry: &Entry) -> Result<(), Error> {
        let mut live = entry.live.lock().await;
        live.check(entry)?;
        // A full disk must not keep it.
        let _ = self.step(entry, State::Deleting).await;
        self.discard(entry, &mut live).await
    }

    /// Ends and removes everything of a sandbox.
    async fn discard(&self, entry: &Entry, live: &mut Live) -> Result<(), Error> {
        if let Some(process) = live.process.take()
            && let Err(error) = end(&process, Stop::Kill).await
        {
            live.process = Some(process);
            return Err(error);
        }
        let id = entry.sandbox().id;
        self.remove_all(&id).await?;
        live.is_deleted = true;
        self.entries().remove(&id);
        self.changed.forget(&id);
        Ok(())
    }

    pub(super) async fn apply(
        self: &Arc<Self>,
        entry: &Entry,
        change: Change,
    ) -> Result<Sandbox, Error> {
        let live = entry.live.lock().await;
        live.check(entry)?;
        let mut sandbox = entry.sandbox();
        let spec = &mut sandbox.spec;
        if let Some(blocked) = change.block_network
            && blocked != spec.block_network
        {
            if live.process.is_some() {
                return Err(Error::unsupported(
                    "the network of a sandbox that runs cannot be changed; help: stop it first",
                ));
            }
            spec.block_network = blocked;
        }
        if let Some(labels) = change.labels {
            validate::sizes(&[&spec.env, &labels])?;
            spec.labels = labels;
        }
        spec.public = change.public.unwrap_or(spec.public);
        spec.auto_stop = change.auto_stop.unwrap_or(spec.auto_stop);
        spec.auto_delete = change.auto_delete.unwrap_or(spec.auto_delete);
        spec.ttl = change.ttl.unwrap_or(spec.ttl);
        spec.signing_key = change.signing_key.or_else(|| spec.signing_key.take());
        sandbox.updated_at = SystemTime::now();
        let (resources, is_live) = (change.resources, live.process.is_some());
        spec.resources.cpus = resources.cpus.or(spec.resources.cpus);
        spec.resources.memory = resources.memory.or(spec.resources.memory);
        let (inner, id) = (Arc::clone(self), sandbox.id.clone());
        blocking(move || {
            inner.bounds.check(&resources)?;
            if is_live {
                Bounds::change(&inner.store, &id, &resources)
            } else {
                Ok(())
            }
        })
        .await?;
        self.save(entry, &sandbox, Durability::Machine).await?;
        entry.publish(sandbox.clone());
        Ok(sandbox)
    }
}

/// Ends all processes of a sandbox.
pub(super) async fn end(process: &Arc<DetachedProcess>, how: Stop) -> Result<(), Error> {
    let asked = Arc::clone(process);
    let is_asked = how == Stop::Terminate
        && blocking(move || {
            if asked.is_frozen() {
                asked.thaw();
            }
            Ok(asked.terminate())
        })
        .await?
        .is_ok();
    if is_asked && timeout(STOP, process.ended()).await.is_ok() {
        return Ok(());
    }
    let failed = |error| Error::failed("cannot end the sandbox", error);
    process.kill().map_err(failed)?;
    let ended = async { process.ended().await.map_err(failed) };
    in_time(KILL, "cannot end the sandbox", ended).await
}

/// Waits for something, but not longer than `limit`.
async fn in_time<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = |_| {
        let limit = format!("not within {} s", limit.as_secs());
        Err(Error::failed(what, limit))
    };
    timeout(limit, work).await.unwrap_or_else(late)
}

/// More than a response without a body has.
const RESPONSE_BYTES: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_respond_is_not_waited_for_without_end() {
        for limit in [START, KILL] {
            let begun = tokio::time::Instant::now();
            let never = std::future::pending::<Result<(), Error>>();
            let error = in_time(limit, "it does not end", never).await.unwrap_err();
            assert_eq!(error.to_string(), "it does not end");
            assert_eq!(begun.elapsed(), limit);
        }
    }
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod meetings;
