//! What is above a provider does not depend on where its sandboxes run: one whose daemons are reached over TCP does the same.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::SystemTime;

use sandbox_daemon::{Access, Config, Listen, Server};
use sandbox_engine::Engine;
use sandbox_provider::{Change, Error, Provider, Sandbox, SandboxId, Spec, State, Stop};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::machine::{Machine, run};

/// Daemons that listen on TCP, as those of another machine would.
#[derive(Default)]
struct OverTcp(Mutex<HashMap<SandboxId, Remote>>);

struct Remote {
    sandbox: Sandbox,
    daemon: Option<(SocketAddr, JoinHandle<()>)>,
}

impl OverTcp {
    fn with<T>(
        &self,
        id: &SandboxId,
        work: impl FnOnce(&mut Remote) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut all = self.0.lock().unwrap();
        let remote = all.get_mut(id);
        work(remote.ok_or_else(|| Error::NotFound { id: id.to_string() })?)
    }

    async fn serve() -> (SocketAddr, JoinHandle<()>) {
        let engine = Engine::builder().build().unwrap();
        let any = Listen::Tcp(([127, 0, 0, 1], 0).into());
        let server = Server::bind(Config::new(any, Access::Open, engine))
            .await
            .unwrap();
        let Listen::Tcp(address) = *server.address() else {
            panic!("it listens on TCP");
        };
        (address, tokio::spawn(server.serve(std::future::pending())))
    }

    fn unsupported<T>() -> Result<T, Error> {
        Err(Error::Unsupported {
            what: "not here".to_owned(),
        })
    }
}

impl Provider for OverTcp {
    type Stream = TcpStream;

    async fn create(&self, spec: Spec) -> Result<Sandbox, Error> {
        let daemon = Self::serve().await;
        let mut all = self.0.lock().unwrap();
        let id = SandboxId::new(format!("remote-{}", all.len()));
        let sandbox = Sandbox::new(id.clone(), spec, State::Started, SystemTime::now());
        let remote = Remote {
            sandbox: sandbox.clone(),
            daemon: Some(daemon),
        };
        all.insert(id, remote);
        Ok(sandbox)
    }

    async fn get(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        self.with(id, |remote| Ok(remote.sandbox.clone()))
    }

    async fn list(&self) -> Result<Vec<Sandbox>, Error> {
        let all = self.0.lock().unwrap();
        let mut all: Vec<_> = all.values().map(|remote| remote.sandbox.clone()).collect();
        all.sort_by_key(|sandbox| sandbox.created_at);
        Ok(all)
    }

    async fn start(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        let daemon = Self::serve().await;
        self.with(id, |remote| {
            remote.daemon.get_or_insert(daemon);
            remote.sandbox.state = State::Started;
            Ok(remote.sandbox.clone())
        })
    }

    async fn stop(&self, id: &SandboxId, _: Stop) -> Result<Sandbox, Error> {
        self.with(id, |remote| {
            if let Some((_, task)) = remote.daemon.take() {
                task.abort();
            }
            remote.sandbox.state = State::Stopped;
            Ok(remote.sandbox.clone())
        })
    }

    async fn pause(&self, _id: &SandboxId) -> Result<Sandbox, Error> {
        Self::unsupported()
    }

    async fn fork(&self, _id: &SandboxId, _spec: Spec) -> Result<Sandbox, Error> {
        Self::unsupported()
    }

    async fn delete(&self, id: &SandboxId) -> Result<(), Error> {
        self.stop(id, Stop::Kill).await?;
        self.0.lock().unwrap().remove(id);
        Ok(())
    }

    async fn change(&self, _id: &SandboxId, _change: Change) -> Result<Sandbox, Error> {
        Self::unsupported()
    }

    async fn dial(&self, id: &SandboxId) -> Result<TcpStream, Error> {
        let address = self.with(id, |remote| match &remote.daemon {
            Some((address, _)) => Ok(*address),
            None => Err(Error::WrongState {
                state: remote.sandbox.state,
            }),
        })?;
        TcpStream::connect(address)
            .await
            .map_err(|error| Error::Failed {
                what: "cannot connect".to_owned(),
                source: error.into(),
            })
    }
}

/// What a client of any provider does.
async fn use_a_sandbox(provider: &impl Provider) {
    let mut spec = Spec::default();
    spec.name = Some("any".to_owned());
    let sandbox = provider.create(spec).await.unwrap();
    assert_eq!(sandbox.state, State::Started);
    assert_eq!(run(provider, &sandbox, "echo hi").await, "hi");
    assert_eq!(provider.get(&sandbox.id).await.unwrap(), sandbox);
    assert_eq!(provider.list().await.unwrap().len(), 1);
    let stopped = provider.stop(&sandbox.id, Stop::Terminate).await.unwrap();
    assert_eq!(stopped.state, State::Stopped);
    let error = provider.dial(&sandbox.id).await.err().unwrap();
    assert!(matches!(error, Error::WrongState { .. }), "{error:?}");
    provider.start(&sandbox.id).await.unwrap();
    assert_eq!(run(provider, &sandbox, "echo again").await, "again");
    provider.delete(&sandbox.id).await.unwrap();
    let error = provider.dial(&sandbox.id).await.err().unwrap();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn every_provider_is_used_alike() {
    use_a_sandbox(&OverTcp::default()).await;
    let Some(machine) = Machine::new().await else {
        return;
    };
    use_a_sandbox(&machine.local).await;
    machine.clear().await;
}
