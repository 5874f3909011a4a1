//! Sandboxes of a control plane that responds by script.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox_process::{ErrorKind, Language, SandboxState, Sandboxes, blocking};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Returns the response to a request: a status and a body.
type Respond = fn(line: &str, url: &str) -> (u16, String);

/// A control plane, and the requests that it got: their lines and their bodies.
struct Fake {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(respond: Respond) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::default();
        let fake = Self {
            url: url.clone(),
            requests: Arc::clone(&requests),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, respond, url.clone(), requests.clone()));
            }
        });
        fake
    }

    fn client(&self) -> Sandboxes {
        Sandboxes::connect(format!("{}/api", self.url), "key").unwrap()
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

async fn serve(
    stream: TcpStream,
    respond: Respond,
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            stream
                .read_line(&mut line)
                .await
                .ok()
                .filter(|read| *read > 0)?;
            let line = line.trim_end().to_ascii_lowercase();
            if first.is_empty() {
                first = line.replace(" http/1.1", "");
            } else if line.is_empty() {
                break;
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let body = String::from_utf8(body).unwrap();
        let asked = format!("{first} {body}");
        requests.lock().unwrap().push(asked.trim_end().to_owned());
        let (status, body) = respond(&first, &url);
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.ok()?;
    }
}

fn sandbox(url: &str, state: &str, labels: &str) -> String {
    format!(
        r#"{{"id": "i", "name": "web", "state": "{state}", "labels": {{{labels}}}, "toolboxProxyUrl": "{url}/toolbox"}}"#
    )
}

/// Responds as a control plane whose one sandbox is always in the state that was asked for.
fn control(line: &str, url: &str) -> (u16, String) {
    let body = match line {
        "post /api/sandbox/i/stop" | "post /api/sandbox/i/stop?force=true" => {
            sandbox(url, "stopped", "")
        }
        "post /api/sandbox/i/pause" => sandbox(url, "paused", ""),
        "get /api/sandbox" => {
            let item = sandbox(url, "stopped", r#""k": "v""#);
            format!(r#"{{"items": [{item}], "nextCursor": null}}"#)
        }
        "get /api/sandbox/none" => return (404, r#"{"message": "no such sandbox"}"#.to_owned()),
        "get /toolbox/i/version" => r#"{"version": "v1"}"#.to_owned(),
        line if line.contains("preview-url") => r#"{"url": "http://p", "token": "t"}"#.to_owned(),
        _ => sandbox(url, "started", r#""code-toolbox-language": "javascript""#),
    };
    (200, body)
}

#[tokio::test]
async fn a_sandbox_lives() {
    let fake = Fake::start(control).await;
    let sandboxes = fake.client();
    let sandbox = sandboxes
        .create()
        .name("web")
        .image("python")
        .user("u")
        .env("A", "1")
        .envs([("B", "2")])
        .label("k", "v")
        .language(Language::JavaScript)
        .block_network()
        .cpus(2)
        .memory_gib(4)
        .disk_gib(8)
        .auto_stop(Duration::from_secs(60))
        .auto_delete(Duration::ZERO)
        .ttl(Duration::from_secs(3600))
        .await
        .unwrap();
    assert_eq!((sandbox.id(), &*sandbox.name()), ("i", "web"));
    assert_eq!(sandbox.process().version().await.unwrap(), "v1");
    let same = sandbox.clone();
    sandbox.stop().await.unwrap();
    assert_eq!(same.state(), SandboxState::Stopped);
    sandbox.kill().await.unwrap();
    sandbox.start().await.unwrap();
    sandbox.pause().await.unwrap();
    assert_eq!(same.info().state, SandboxState::Paused);
    assert_eq!(
        sandbox.refresh().await.unwrap().state,
        SandboxState::Started
    );
    sandbox
        .set_labels([("a".to_owned(), "b".to_owned())].into())
        .await
        .unwrap();
    assert_eq!(same.info().labels["a"], "b");
    sandbox.set_auto_stop(None).await.unwrap();
    sandbox.set_auto_delete(None).await.unwrap();
    sandbox.set_ttl(None).await.unwrap();
    sandbox.refresh_activity().await.unwrap();
    assert_eq!(sandbox.preview_url(80).await.unwrap().token, "t");
    let minute = Duration::from_secs(60);
    sandbox.signed_preview_url(80, minute).await.unwrap();
    sandbox.delete().await.unwrap();
    let create = concat!(
        r#"post /api/sandbox {"name":"web","snapshot":"python","user":"u","env":{"A":"1","B":"2"},"#,
        r#""labels":{"code-toolbox-language":"javascript","k":"v"},"networkBlockAll":true,"cpu":2,"#,
        r#""memory":4,"disk":8,"autoStopInterval":1,"autoDeleteInterval":0,"ttlMinutes":60}"#,
    );
    assert_eq!(
        fake.asked(),
        [
            create,
            "get /toolbox/i/version",
            "post /api/sandbox/i/stop",
            "post /api/sandbox/i/stop?force=true",
            "post /api/sandbox/i/start",
            "post /api/sandbox/i/pause",
            "get /api/sandbox/i",
            r#"put /api/sandbox/i/labels {"labels":{"a":"b"}}"#,
            "post /api/sandbox/i/autostop/0",
            "post /api/sandbox/i/autodelete/-1",
            "post /api/sandbox/i/ttl/0",
            "post /api/sandbox/i/last-activity",
            "get /api/sandbox/i/ports/80/preview-url",
            "get /api/sandbox/i/ports/80/signed-preview-url?expiresinseconds=60",
            "delete /api/sandbox/i",
        ]
    );
}

#[tokio::test]
async fn sandboxes_are_found() {
    let fake = Fake::start(control).await;
    let sandboxes = fake.client();
    let all = sandboxes.list().await.unwrap();
    assert_eq!((all.len(), all[0].state()), (1, SandboxState::Stopped));
    assert_eq!(all[0].info().labels["k"], "v");
    let found = sandboxes.get("web").await.unwrap();
    assert_eq!(found.state(), SandboxState::Started);
    assert_eq!(
        sandboxes.get("none").await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    // Handles can be moved to other tasks.
    let elsewhere = tokio::spawn(async move { found.process().version().await });
    assert_eq!(elsewhere.await.unwrap().unwrap(), "v1");
}

#[tokio::test]
async fn what_does_not_start_is_an_error() {
    let fake = Fake::start(|_, url| (200, sandbox(url, "error", ""))).await;
    let error = fake.client().create().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    let invalid = Sandboxes::connect("nonsense", "key").unwrap_err();
    assert_eq!(invalid.kind(), ErrorKind::InvalidInput);
    let invalid = Sandboxes::connect("http://h/api", "a\nb").unwrap_err();
    assert_eq!(invalid.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_sandbox_lives_without_async() {
    let fake = Fake::start(control).await;
    let client = fake.client();
    let used = tokio::task::spawn_blocking(move || {
        let sandboxes = blocking::Sandboxes::new(client)?;
        let sandbox = sandboxes
            .create()
            .name("web")
            .image("python")
            .user("u")
            .env("A", "1")
            .label("k", "v")
            .block_network()
            .cpus(2)
            .memory_gib(4)
            .disk_gib(8)
            .auto_stop(Duration::from_secs(60))
            .auto_delete(Duration::ZERO)
            .ttl(Duration::from_secs(3600))
            .create()?;
        assert_eq!((sandbox.id(), &*sandbox.name()), ("i", "web"));
        let process = sandbox.process();
        assert_eq!(process.wait(process.as_async().version())?, "v1");
        sandbox.stop()?;
        assert_eq!(sandbox.state(), SandboxState::Stopped);
        sandbox.kill()?;
        sandbox.start()?;
        sandbox.pause()?;
        assert_eq!(sandbox.info().state, SandboxState::Paused);
        sandbox.set_labels([("a".to_owned(), "b".to_owned())].into())?;
        sandbox.set_auto_stop(None)?;
        assert_eq!(sandbox.preview_url(80)?.token, "t");
        assert_eq!(sandboxes.list().list()?.len(), 1);
        assert_eq!(sandboxes.get("web")?.id(), "i");
        let missing = sandboxes.get("none").unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        sandbox.delete()
    });
    used.await.unwrap().unwrap();
    let asked = fake.asked();
    let create = concat!(
        r#"post /api/sandbox {"name":"web","snapshot":"python","user":"u","env":{"A":"1"},"labels":{"k":"v"},"#,
        r#""networkBlockAll":true,"cpu":2,"memory":4,"disk":8,"autoStopInterval":1,"autoDeleteInterval":0,"#,
        r#""ttlMinutes":60}"#,
    );
    assert_eq!(asked[0], create);
    assert!(asked.contains(&"post /api/sandbox/i/autostop/0".to_owned()));
    assert_eq!(asked.last().unwrap(), "delete /api/sandbox/i");
}
