//! A server of the test's own, and a client that sends exactly what a test specifies.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use sandbox_daemon::{Access, Config, Listen, Server, Token};
use sandbox_engine::Engine;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;

/// A server that ends with the test, or one that the tests did not start.
pub(crate) struct TestServer {
    pub(crate) address: Listen,
    foreign: Option<Foreign>,
    pub(crate) engine: Engine,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    task: tokio::task::JoinHandle<()>,
    _directory: tempfile::TempDir,
}

/// What every request to a daemon of another owner has.
struct Foreign {
    host: String,
    /// In front of each path.
    prefix: String,
    token: Option<String>,
}

/// Where a daemon works.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) work_dir: String,
    pub(crate) home: String,
}

/// A connection of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    sent_head: String,
    pub(crate) body: Vec<u8>,
}

impl TestServer {
    pub(crate) async fn unix(access: Access) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listen = Listen::Unix(directory.path().join("daemon.sock"));
        Self::start(listen, access, directory).await
    }

    pub(crate) async fn tcp(access: Access) -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        Self::start(listen, access, tempfile::tempdir().unwrap()).await
    }

    /// A server with the entrypoint of the recordings.
    pub(crate) async fn with_entrypoint() -> Self {
        let words = [
            "sh",
            "-c",
            "echo entry-out; echo entry-err >&2; sleep 100000",
        ];
        let listen = "127.0.0.1:0".parse().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let entrypoint = Some(words.map(OsString::from).to_vec());
        Self::start_with(listen, Access::Open, directory, |config| {
            config.entrypoint = entrypoint;
            config.shutdown_grace = Duration::ZERO;
        })
        .await
    }

    /// A server with room for so many bytes of outputs on its disk.
    pub(crate) async fn with_record_bytes(bytes: u64) -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::builder()
            .shell("/usr/bin/bash")
            .work_dir(directory.path())
            .record_bytes(bytes)
            .build()
            .unwrap();
        Self::start_with(listen, Access::Open, directory, |config| {
            config.engine = engine;
        })
        .await
    }

    /// A server whose Python is the one with numpy and matplotlib, if the tests were given one.
    pub(crate) async fn with_python() -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut engine = Engine::builder()
            .shell("/usr/bin/bash")
            .work_dir(directory.path());
        if let Some(python) = std::env::var_os("SANDBOX_TEST_PYTHON") {
            engine = engine.python(python);
        }
        let engine = engine.build().unwrap();
        Self::start_with(listen, Access::Open, directory, |config| {
            config.engine = engine;
        })
        .await
    }

    /// The daemon at `SANDBOX_TEST_URL`, which takes `SANDBOX_TEST_TOKEN`, if there is one to be judged.
    async fn foreign() -> Option<Self> {
        let url = std::env::var("SANDBOX_TEST_URL").ok()?;
        let rest = url.strip_prefix("http://").expect("an address without TLS");
        let (host, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let port = if host.contains(':') { "" } else { ":80" };
        let mut addresses = tokio::net::lookup_host(format!("{host}{port}"))
            .await
            .unwrap();
        let foreign = Foreign {
            host: host.to_owned(),
            prefix: prefix.trim_end_matches('/').to_owned(),
            token: std::env::var("SANDBOX_TEST_TOKEN")
                .ok()
                .filter(|token| !token.is_empty()),
        };
        Some(Self {
            address: Listen::Tcp(addresses.next().unwrap()),
            foreign: Some(foreign),
            engine: Engine::builder().build().unwrap(),
            stop: Mutex::default(),
            task: tokio::spawn(async {}),
            _directory: tempfile::tempdir().unwrap(),
        })
    }

    /// The same, or else one of the test's own.
    pub(crate) async fn foreign_or(own: impl Future<Output = Self>) -> Self {
        match Self::foreign().await {
            Some(server) => server,
            None => own.await,
        }
    }

    pub(crate) fn is_foreign(&self) -> bool {
        self.foreign.is_some()
    }

    /// The path and the headers of a request as this daemon is to get them, but for its own.
    pub(crate) fn addressed(&self, path: &str) -> (String, Vec<(&'static str, String)>) {
        let Some(foreign) = &self.foreign else {
            return (path.to_owned(), vec![("Host", "localhost".to_owned())]);
        };
        let mut headers = vec![("Host", foreign.host.clone())];
        if let Some(token) = &foreign.token {
            headers.push(("Authorization", format!("Bearer {token}")));
        }
        (format!("{}{path}", foreign.prefix), headers)
    }

    /// Where it works.
    pub(crate) async fn places(&self) -> Places {
        let directory = async |path| {
            let answer = self.get(path, &[]).await.json();
            answer["dir"].as_str().unwrap().to_owned()
        };
        Places {
            work_dir: directory("/work-dir").await,
            home: directory("/user-home-dir").await,
        }
    }

    async fn start(listen: Listen, access: Access, directory: tempfile::TempDir) -> Self {
        Self::start_with(listen, access, directory, |_| {}).await
    }

    pub(crate) async fn start_with(
        listen: Listen,
        access: Access,
        directory: tempfile::TempDir,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let engine = Engine::builder()
            .shell("/usr/bin/bash")
            .work_dir(directory.path())
            .build()
            .unwrap();
        let mut config = Config::new(listen, access, engine);
        change(&mut config);
        let engine = config.engine.clone();
        let server = Server::bind(config).await.unwrap();
        let address = server.address().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(async { drop(stopped.await) }));
        Self {
            address,
            foreign: None,
            engine,
            stop: Mutex::new(Some(stop)),
            task,
            _directory: directory,
        }
    }

    /// Asks the server to end, and waits until it has.
    pub(crate) async fn end(self) {
        self.ask_to_end();
        self.task.await.unwrap();
    }

    pub(crate) fn ask_to_end(&self) {
        drop(self.stop.lock().unwrap().take());
    }

    pub(crate) fn socket(&self) -> PathBuf {
        match &self.address {
            Listen::Unix(path) => path.clone(),
            Listen::Tcp(_) => panic!("not a Unix socket"),
        }
    }

    /// Sends bytes on a connection of their own and reads until the server closes it.
    pub(crate) async fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> Box<dyn Stream> {
        match &self.address {
            Listen::Unix(path) => Box::new(UnixStream::connect(path).await.unwrap()),
            Listen::Tcp(address) => Box::new(TcpStream::connect(address).await.unwrap()),
        }
    }

    /// Sends a JSON body.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        self.send("POST", path, headers, body.to_string().as_bytes())
            .await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, b"").await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let (path, usual) = self.addressed(path);
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        let given = |name: &str| {
            headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        for (name, value) in usual.iter().filter(|(name, _)| !given(name)) {
            request.extend([name, ": ", value, "\r\n"]);
        }
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.extend(["Content-Length: ", &body.len().to_string(), "\r\n\r\n"]);
        Answer::parse(&self.raw(&[request.as_bytes(), body].concat()).await)
    }

    pub(crate) async fn execute(&self, body: &[u8]) -> Answer {
        self.send("POST", "/process/execute", &[], body).await
    }
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let (head, sent_head) = (head.to_ascii_lowercase(), head);
        let body = &bytes[end + 4..];
        let body = if head.contains("transfer-encoding: chunked") {
            join_chunks(body)
        } else {
            body.to_vec()
        };
        Self {
            status,
            head,
            sent_head,
            body,
        }
    }

    /// The value of a header as it was sent.
    pub(crate) fn sent_header(&self, name: &str) -> Option<&str> {
        self.sent_head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Holds an error to the form that all have.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, code: &str) {
        let envelope = self.json();
        assert_eq!(self.status, status, "{envelope}");
        assert_eq!(envelope["statusCode"], status, "{envelope}");
        assert_eq!(envelope["code"], code, "{envelope}");
        assert_eq!(envelope["source"], "DAYTONA_DAEMON");
        assert!(
            self.head.contains("content-type: application/json"),
            "{}",
            self.head
        );
        for field in ["message", "timestamp", "path", "method"] {
            assert!(
                envelope[field]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{envelope}"
            );
        }
        assert!(self.head.contains("x-request-id: "), "{}", self.head);
    }
}

pub(crate) fn token() -> Access {
    Access::Token(Token::new("s3cret").unwrap())
}

/// The bytes of a chunked body, as many as arrived.
fn join_chunks(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let length = std::str::from_utf8(&body[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        let chunk = &body[end + 2..];
        if length == 0 || chunk.len() < length + 2 {
            break;
        }
        whole.extend_from_slice(&chunk[..length]);
        body = &chunk[length + 2..];
    }
    whole
}
