//! A provider in a directory of its own, and a client of its sandboxes.

#![expect(clippy::print_stdout, reason = "a skipped test says so")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sandbox_provider::{Error, Local, LocalBuilder, Provider, Sandbox, Spec, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Far more than anything takes on a machine that is not stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Machine {
    pub(crate) local: Local,
    pub(crate) state: PathBuf,
    pub(crate) directory: Arc<tempfile::TempDir>,
}

impl Machine {
    /// Returns one, or says why there is none.
    pub(crate) async fn new() -> Option<Self> {
        Self::at("state", Arc::new(tempfile::tempdir().unwrap())).await
    }

    /// Returns another one in the same directory.
    pub(crate) async fn beside(&self, name: &str) -> Self {
        Self::at(name, Arc::clone(&self.directory)).await.unwrap()
    }

    async fn at(name: &str, directory: Arc<tempfile::TempDir>) -> Option<Self> {
        let state = directory.path().join(name);
        let builder = Local::builder(&state);
        Self::with(builder, state, directory).await
    }

    /// Returns what a builder opens.
    pub(crate) async fn with(
        builder: LocalBuilder,
        state: PathBuf,
        directory: Arc<tempfile::TempDir>,
    ) -> Option<Self> {
        match builder.open().await {
            Ok(local) => Some(Self {
                local,
                state,
                directory,
            }),
            Err(Error::Unsupported { what }) => {
                skip(&what);
                None
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(crate) async fn create(&self) -> Sandbox {
        let sandbox = self.local.create(Spec::default()).await.unwrap();
        assert_eq!(sandbox.state, State::Started);
        sandbox
    }

    /// Runs a command in a sandbox, and returns what it has printed.
    pub(crate) async fn run(&self, sandbox: &Sandbox, command: &str) -> String {
        run(&self.local, sandbox, command).await
    }

    /// Has a sandbox execute something, and does not wait for a response.
    pub(crate) async fn post(&self, sandbox: &Sandbox, body: &str) {
        let mut stream = self.local.dial(&sandbox.id).await.unwrap();
        let length = body.len();
        let request = format!(
            "POST /process/execute HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
    }

    /// Returns the path on this machine of a file in a sandbox's home.
    pub(crate) fn home(&self, sandbox: &Sandbox, name: &str) -> PathBuf {
        let data = self.state.join("data").join(sandbox.id.as_str());
        data.join("home").join(name)
    }

    /// Waits until a sandbox has made a file.
    pub(crate) async fn until_file(&self, sandbox: &Sandbox, name: &str) {
        let exists = async {
            while !self.home(sandbox, name).exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, exists).await.unwrap();
    }

    /// Waits until a sandbox is in a state, and returns it.
    pub(crate) async fn until(&self, sandbox: &Sandbox, state: State) -> Sandbox {
        let reached = async {
            loop {
                let now = self.local.get(&sandbox.id).await.unwrap();
                if now.state == state {
                    return now;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap()
    }

    /// Deletes all sandboxes, so that nothing is left of a test.
    pub(crate) async fn clear(self) {
        for sandbox in self.local.list().await.unwrap() {
            self.local.delete(&sandbox.id).await.unwrap();
            assert_eq!(groups(&sandbox), Vec::<PathBuf>::new());
            assert_eq!(helpers(&sandbox), Vec::<u32>::new());
        }
        for name in ["data", "records", "run"] {
            let path = self.state.join(name);
            let left: Vec<_> = std::fs::read_dir(path).unwrap().collect();
            assert!(left.is_empty(), "{name}: {left:?}");
        }
    }
}

impl Drop for Machine {
    /// A test that fails leaves no processes.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let local = self.local.clone();
        let clear = move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                for sandbox in local.list().await.unwrap_or_default() {
                    let _ = local.delete(&sandbox.id).await;
                }
            });
        };
        let _ = std::thread::spawn(clear).join();
    }
}

/// Says that a test is skipped.
pub(crate) fn skip(why: &str) {
    println!("skipped: {why}");
}

/// Runs a command through the toolbox API of a provider's sandbox, and returns what it has printed.
pub(crate) async fn run(provider: &impl Provider, sandbox: &Sandbox, command: &str) -> String {
    let body = execute(provider, sandbox, command).await;
    body["result"].as_str().unwrap().trim_end().to_owned()
}

/// Returns the launcher of a sandbox, and all processes below it.
pub(crate) fn members(sandbox: &Sandbox) -> Vec<u32> {
    let launcher = format!("sandbox-isolation\0{}\0", sandbox.id);
    let pids = std::fs::read_dir("/proc").unwrap();
    let pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<_> = pids
        .filter_map(|pid| Some((pid, field(pid, "PPid")?.parse::<u32>().ok()?)))
        .collect();
    let is_launcher = |pid: u32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline"));
        arguments.is_ok_and(|arguments| arguments == launcher.as_bytes())
    };
    let mut members: Vec<_> = { parents.iter().map(|(pid, _)| *pid) }
        .filter(|pid| is_launcher(*pid) && field(*pid, "Name").as_deref() == Some(LAUNCHER))
        .collect();
    members.truncate(1);
    let mut next = 0;
    while let Some(above) = members.get(next).copied() {
        let below = parents.iter().filter(|(_, parent)| *parent == above);
        members.extend(below.map(|(pid, _)| *pid));
        next += 1;
    }
    members
}

/// Returns a line of the status of a process.
fn field(pid: u32, name: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut lines = status.lines();
    lines.find_map(|line| {
        Some(
            line.strip_prefix(name)?
                .strip_prefix(':')?
                .trim()
                .to_owned(),
        )
    })
}

const LAUNCHER: &str = "sandbox-lasting";

/// Returns the processes by which a sandbox has a way out.
pub(crate) fn helpers(sandbox: &Sandbox) -> Vec<u32> {
    let mut members = members(sandbox);
    members.retain(|pid| {
        let is_zombie = field(*pid, "State").is_none_or(|state| state.starts_with('Z'));
        !is_zombie && field(*pid, "Name").as_deref() == Some("slirp4netns")
    });
    members
}

/// Returns the directories of a sandbox's control group, in all hierarchies.
pub(crate) fn groups(sandbox: &Sandbox) -> Vec<PathBuf> {
    let name = format!("sandbox-{}", sandbox.id);
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = directories.pop() {
        // Others may remove theirs meanwhile.
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name() == *name {
                    found.push(entry.path())
                } else {
                    directories.push(entry.path())
                }
            }
        }
    }
    found
}

/// Runs a command through the toolbox API of a provider's sandbox, and returns the body of the response.
pub(crate) async fn execute(
    provider: &impl Provider,
    sandbox: &Sandbox,
    command: &str,
) -> serde_json::Value {
    let mut stream = provider.dial(&sandbox.id).await.unwrap();
    let body = serde_json::json!({ "command": command }).to_string();
    let request = format!(
        "POST /process/execute HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    );
    let mut response = Vec::new();
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut response).await
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .unwrap()
        .unwrap();
    let response = String::from_utf8_lossy(&response).into_owned();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    let body = body.get(body.find('{').unwrap()..=body.rfind('}').unwrap());
    serde_json::from_str(body.unwrap()).unwrap()
}
