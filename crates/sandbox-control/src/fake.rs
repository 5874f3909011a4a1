//! A provider of the unit tests: sandboxes without processes, by the clock of the timers, dialed through memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body as HttpBody, Bytes};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use sandbox_daemon::Token;
use sandbox_daemon::doors::{Slots, Source};
use sandbox_provider::{Change, Error, Provider, Sandbox, SandboxId, Spec, State, Stop};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::connection::Connection;
use crate::limits::AUTO_STOP;
use crate::router::Router;
use crate::shared::Shared;

/// The provider.
#[derive(Debug)]
pub(crate) struct Memory {
    clock: Clock,
    /// How far the system's clock was set on since the begin, or back.
    pub(crate) step: Mutex<Step>,
    entries: Mutex<BTreeMap<SandboxId, Sandbox>>,
    /// The far ends of what is dialed.
    dialed: mpsc::Sender<DuplexStream>,
    /// Sandboxes that have ended by themselves.
    ended: mpsc::Sender<Sandbox>,
    ends: tokio::sync::Mutex<mpsc::Receiver<Sandbox>>,
    /// Stops that fail before one succeeds.
    pub(crate) failures: AtomicUsize,
    /// The time that a stop takes, how many run, and how many did at most.
    pub(crate) stop_time: Duration,
    stopping: AtomicUsize,
    pub(crate) most_stopping: AtomicUsize,
}

/// A plane over such a provider.
pub(crate) struct Plane {
    pub(crate) shared: Arc<Shared<Memory>>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) dialed: mpsc::Receiver<DuplexStream>,
    slots: Slots,
    shutdown: watch::Sender<bool>,
}

pub(crate) const KEY: &str = "key-of-the-test";

impl Plane {
    pub(crate) fn new() -> Self {
        Self::with_stop_time(Duration::ZERO)
    }

    pub(crate) fn with_stop_time(stop_time: Duration) -> Self {
        let (sender, dialed) = mpsc::channel(16);
        let (ended, ends) = mpsc::channel(16);
        let memory = Arc::new(Memory {
            clock: Clock::new(),
            step: Mutex::default(),
            entries: Mutex::default(),
            dialed: sender,
            ended,
            ends: ends.into(),
            failures: AtomicUsize::new(0),
            stop_time,
            stopping: AtomicUsize::new(0),
            most_stopping: AtomicUsize::new(0),
        });
        Self {
            shared: Self::shared(&memory),
            memory,
            dialed,
            slots: Slots::new(64, Duration::from_secs(3600)),
            shutdown: watch::Sender::new(false),
        }
    }

    /// Another server over the same provider, as after a restart.
    pub(crate) fn shared(memory: &Arc<Memory>) -> Arc<Shared<Memory>> {
        let key = Token::new(KEY).unwrap();
        let provider = Arc::clone(memory);
        let auto_stop = Some(AUTO_STOP);
        Arc::new(Shared::new(auto_stop, key, provider, memory.clock))
    }

    /// Connects to the server.
    pub(crate) async fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(64 * 1024);
        let slot = self.slots.enter(Source::Local).await;
        let shutdown = self.shutdown.subscribe();
        let router = Router::new(Arc::clone(&self.shared), true, None);
        let connection = Connection::new(Arc::new(router), slot, shutdown);
        tokio::spawn(connection.serve(far));
        near
    }

    /// Connects to the server as a client of HTTP/1.
    pub(crate) async fn client<B>(&self) -> SendRequest<B>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (sender, connection) = handshake(TokioIo::new(self.connect().await)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Sends a request without a body, with the key, and returns its status and the text of its response.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let request = http::Request::get(path)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {KEY}"))
            .body(Empty::<Bytes>::new())
            .unwrap();
        let response = self.client().await.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    pub(crate) async fn create(&self, change: impl FnOnce(&mut Spec)) -> SandboxId {
        let mut spec = Spec::default();
        change(&mut spec);
        self.shared.create(spec).await.unwrap().id
    }

    /// Closes a connection on which no request was admitted.
    pub(crate) fn evict(&self) {
        self.slots.evict();
    }

    /// Begins the shutdown.
    pub(crate) fn shut_down(&self) {
        self.shutdown.send_replace(true);
    }
}

/// A change of the system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Step {
    #[default]
    None,
    On(Duration),
    Back(Duration),
}

impl Memory {
    /// Returns the time of the system's clock.
    pub(crate) fn day(&self) -> SystemTime {
        match *self.step.lock().unwrap() {
            Step::None => self.clock.now(),
            Step::On(time) => self.clock.now() + time,
            Step::Back(time) => self.clock.now() - time,
        }
    }

    /// Returns the state of a sandbox, if it is there.
    pub(crate) fn state(&self, id: &SandboxId) -> Option<State> {
        self.entries().get(id).map(|one| one.state)
    }

    /// Ends a sandbox as if its processes had ended.
    pub(crate) fn end(&self, id: &SandboxId) {
        let ended = self.update(id, |sandbox| {
            sandbox.state = State::Error;
            sandbox.updated_at = self.day();
            sandbox.state_since = sandbox.updated_at;
        });
        self.ended.try_send(ended.unwrap()).unwrap();
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<SandboxId, Sandbox>> {
        self.entries.lock().unwrap()
    }

    fn update(&self, id: &SandboxId, change: impl FnOnce(&mut Sandbox)) -> Result<Sandbox, Error> {
        let mut entries = self.entries();
        let found = entries.get_mut(id);
        let found = found.ok_or_else(|| Error::NotFound { id: id.to_string() })?;
        change(found);
        Ok(found.clone())
    }
}

impl Provider for Memory {
    type Stream = DuplexStream;

    async fn create(&self, spec: Spec) -> Result<Sandbox, Error> {
        let mut entries = self.entries();
        let id = SandboxId::new(format!("s{}", entries.len()));
        let sandbox = Sandbox::new(id.clone(), spec, State::Started, self.day());
        entries.insert(id, sandbox.clone());
        Ok(sandbox)
    }

    async fn get(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        self.update(id, |_| {})
    }

    async fn list(&self) -> Result<Vec<Sandbox>, Error> {
        Ok(self.entries().values().cloned().collect())
    }

    async fn start(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        self.update(id, |sandbox| {
            sandbox.state = State::Started;
            sandbox.updated_at = self.day();
            sandbox.state_since = sandbox.updated_at;
        })
    }

    async fn stop(&self, id: &SandboxId, _: Stop) -> Result<Sandbox, Error> {
        let fails = |left: usize| left.checked_sub(1);
        if self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails)
            .is_ok()
        {
            let what = "no".to_owned();
            return Err(Error::Exhausted { what });
        }
        let now = self.stopping.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_stopping.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(self.stop_time).await;
        self.stopping.fetch_sub(1, Ordering::SeqCst);
        self.update(id, |sandbox| {
            sandbox.state = State::Stopped;
            sandbox.updated_at = self.day();
            sandbox.state_since = sandbox.updated_at;
        })
    }

    async fn pause(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        self.update(id, |sandbox| sandbox.state = State::Paused)
    }

    async fn fork(&self, _: &SandboxId, spec: Spec) -> Result<Sandbox, Error> {
        self.create(spec).await
    }

    async fn delete(&self, id: &SandboxId) -> Result<(), Error> {
        let removed = self.entries().remove(id);
        removed
            .map(drop)
            .ok_or_else(|| Error::NotFound { id: id.to_string() })
    }

    async fn change(&self, id: &SandboxId, change: Change) -> Result<Sandbox, Error> {
        self.update(id, |sandbox| {
            let spec = &mut sandbox.spec;
            spec.auto_stop = change.auto_stop.unwrap_or(spec.auto_stop);
            spec.auto_delete = change.auto_delete.unwrap_or(spec.auto_delete);
            spec.ttl = change.ttl.unwrap_or(spec.ttl);
            spec.signing_key = change.signing_key.or_else(|| spec.signing_key.take());
            sandbox.updated_at = self.day();
        })
    }

    async fn changed(&self) -> Sandbox {
        let mut ends = self.ends.lock().await;
        ends.recv().await.unwrap()
    }

    async fn dial(&self, id: &SandboxId) -> Result<DuplexStream, Error> {
        let state = self.get(id).await?.state;
        if state != State::Started {
            return Err(Error::WrongState { state });
        }
        let (near, far) = duplex(64 * 1024);
        // A test that does not look at it has no receiver.
        let _ = self.dialed.try_send(far);
        Ok(near)
    }
}
