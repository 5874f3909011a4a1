//! A provider whose sandboxes are daemons of this process, reached over TCP: nothing above may assume that they are on this machine.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sandbox_daemon::{Access, Config, Listen, Server};
use sandbox_engine::{Engine, Environment};
use sandbox_provider::{Change, Error, Provider, Sandbox, SandboxId, Spec, State, Stop};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// The provider.
#[derive(Debug)]
pub(crate) struct Daemons {
    entries: Mutex<BTreeMap<SandboxId, Entry>>,
    directory: tempfile::TempDir,
    /// The Python that programs run with, if it is not the first on the path.
    python: Option<PathBuf>,
    /// The time that a daemon takes to stop.
    grace: Duration,
}

#[derive(Debug)]
struct Entry {
    sandbox: Sandbox,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// The one image that there is.
pub(crate) const IMAGE: &str = "debian:12";

impl Daemons {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            directory: tempfile::tempdir().expect("a temporary directory can be made"),
            python: std::env::var_os("SANDBOX_TEST_PYTHON").map(PathBuf::from),
            grace: Duration::from_millis(50),
        })
    }

    async fn run(&self, sandbox: &Sandbox) -> Result<Running, Error> {
        let home = self.home(&sandbox.id);
        std::fs::create_dir_all(&home).map_err(failed)?;
        let mut environment = Environment::of_this_process();
        for (name, value) in &sandbox.spec.env {
            let set = environment.set_checked(name, value);
            set.map_err(|error| Error::Invalid {
                what: error.to_string(),
            })?;
        }
        environment.set("HOME", &home);
        let mut engine = Engine::builder().work_dir(&home).environment(environment);
        if let Some(python) = &self.python {
            engine = engine.python(python);
        }
        let engine = engine.build().map_err(failed)?;
        let listen = Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut config = Config::new(listen, Access::Open, engine);
        config.shutdown_grace = self.grace;
        let server = Server::bind(config).await.map_err(failed)?;
        let Listen::Tcp(address) = *server.address() else {
            return Err(failed(io::Error::other("no address")));
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(async {
            let _ = stopped.await;
        }));
        Ok(Running {
            address,
            stop,
            task,
        })
    }

    fn home(&self, id: &SandboxId) -> PathBuf {
        self.directory.path().join(id.as_str())
    }
}

impl Running {
    async fn end(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

impl Provider for Daemons {
    type Stream = TcpStream;

    async fn images(&self) -> Result<Vec<String>, Error> {
        Ok(vec![IMAGE.to_owned()])
    }

    async fn create(&self, mut spec: Spec) -> Result<Sandbox, Error> {
        if let Some(image) = spec.image.as_deref().filter(|image| *image != IMAGE) {
            return Err(Error::Unsupported {
                what: format!("no image {image} is registered; register its root directory"),
            });
        }
        if spec.resources.cpus.is_some_and(|cpus| cpus > 64) {
            return Err(Error::Exhausted {
                what: "there are 64 processors".to_owned(),
            });
        }
        let id = SandboxId::new(Uuid::new_v4().to_string());
        let name = spec.name.get_or_insert_with(|| id.to_string()).clone();
        let mut entries = self.entries.lock().await;
        let is_taken = |entry: &Entry| entry.sandbox.spec.name.as_deref() == Some(&*name);
        if entries.values().any(is_taken) {
            return Err(Error::NameTaken { name });
        }
        let now = SystemTime::now();
        let sandbox = Sandbox::new(id.clone(), spec, State::Started, now);
        let running = Some(self.run(&sandbox).await?);
        let entry = Entry {
            sandbox: sandbox.clone(),
            running,
        };
        entries.insert(id, entry);
        Ok(sandbox)
    }

    async fn get(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        let entries = self.entries.lock().await;
        let found = entries.get(id).ok_or_else(|| missing(id))?;
        Ok(found.sandbox.clone())
    }

    async fn list(&self) -> Result<Vec<Sandbox>, Error> {
        let entries = self.entries.lock().await;
        let mut all: Vec<_> = entries.values().map(|one| one.sandbox.clone()).collect();
        all.sort_by_key(|one| one.created_at);
        Ok(all)
    }

    async fn start(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        let mut entries = self.entries.lock().await;
        let found = entries.get_mut(id).ok_or_else(|| missing(id))?;
        if found.running.is_none() {
            found.running = Some(self.run(&found.sandbox).await?);
            found.sandbox.state = State::Started;
            found.sandbox.updated_at = SystemTime::now();
            found.sandbox.state_since = found.sandbox.updated_at;
        }
        Ok(found.sandbox.clone())
    }

    async fn stop(&self, id: &SandboxId, _: Stop) -> Result<Sandbox, Error> {
        let mut entries = self.entries.lock().await;
        let found = entries.get_mut(id).ok_or_else(|| missing(id))?;
        if let Some(running) = found.running.take() {
            running.end().await;
            found.sandbox.state = State::Stopped;
            found.sandbox.updated_at = SystemTime::now();
            found.sandbox.state_since = found.sandbox.updated_at;
        }
        Ok(found.sandbox.clone())
    }

    async fn pause(&self, _: &SandboxId) -> Result<Sandbox, Error> {
        Err(Error::Unsupported {
            what: "these sandboxes cannot be paused".to_owned(),
        })
    }

    async fn fork(&self, _: &SandboxId, _: Spec) -> Result<Sandbox, Error> {
        Err(Error::Unsupported {
            what: "these sandboxes cannot be forked".to_owned(),
        })
    }

    async fn delete(&self, id: &SandboxId) -> Result<(), Error> {
        let removed = self.entries.lock().await.remove(id);
        let removed = removed.ok_or_else(|| missing(id))?;
        if let Some(running) = removed.running {
            running.end().await;
        }
        std::fs::remove_dir_all(self.home(id)).map_err(failed)
    }

    async fn change(&self, id: &SandboxId, change: Change) -> Result<Sandbox, Error> {
        if change.resources != sandbox_provider::Resources::default() {
            return Err(Error::Unsupported {
                what: "these sandboxes have no limits".to_owned(),
            });
        }
        let mut entries = self.entries.lock().await;
        let found = entries.get_mut(id).ok_or_else(|| missing(id))?;
        let spec = &mut found.sandbox.spec;
        spec.labels = change.labels.unwrap_or_else(|| spec.labels.clone());
        spec.block_network = change.block_network.unwrap_or(spec.block_network);
        spec.public = change.public.unwrap_or(spec.public);
        spec.auto_stop = change.auto_stop.unwrap_or(spec.auto_stop);
        spec.auto_delete = change.auto_delete.unwrap_or(spec.auto_delete);
        spec.ttl = change.ttl.unwrap_or(spec.ttl);
        spec.signing_key = change.signing_key.or_else(|| spec.signing_key.take());
        Ok(found.sandbox.clone())
    }

    async fn dial(&self, id: &SandboxId) -> Result<TcpStream, Error> {
        let address = {
            let entries = self.entries.lock().await;
            let found = entries.get(id).ok_or_else(|| missing(id))?;
            let state = found.sandbox.state;
            let running = found.running.as_ref();
            running.ok_or(Error::WrongState { state })?.address
        };
        TcpStream::connect(address).await.map_err(failed)
    }
}

fn missing(id: &SandboxId) -> Error {
    Error::NotFound { id: id.to_string() }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Failed {
        what: "the sandbox failed".to_owned(),
        source: Box::new(error),
    }
}
