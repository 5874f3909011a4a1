//! Terminals over their sockets.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sandbox_daemon::Access;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::TestServer;
use crate::socket::Client;

/// A client of a terminal.
struct User {
    client: Client,
    shown: Vec<u8>,
    controls: Vec<Value>,
    close: Option<(u16, Value)>,
    longest: usize,
}

/// How the mark of a gap ends.
const DISCARDED: &str = " bytes of output were discarded]\r\n";

const EXIT_CONTROL: &str = "X-Daytona-Pty-Exit-Control";

impl TestServer {
    /// Makes a terminal in the server's directory, which is its home, so that no user's profile is read.
    async fn terminal(&self, id: &str) -> User {
        let home = self.engine.work_dir().to_str().unwrap();
        let body = json!({"id": id, "envs": {"HOME": home}});
        let made = self.post("/process/pty", &[], body).await;
        assert_eq!(made.status, 201, "{made:?}");
        self.attach(id, "").await
    }

    async fn attach(&self, id: &str, query: &str) -> User {
        let path = format!("/process/pty/{id}/connect{query}");
        User::new(self.upgrade(&path, &[]).await.ok().unwrap())
    }
}

impl User {
    fn new(client: Client) -> Self {
        Self {
            client,
            shown: Vec::new(),
            controls: Vec::new(),
            close: None,
            longest: 0,
        }
    }

    async fn types(&mut self, text: impl Into<Bytes>) {
        let message = Message::Binary(text.into());
        self.client.socket.send(message).await.unwrap();
    }

    /// Reads until `text` is shown after what was waited for before, and returns what came up to it.
    async fn until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut searched = 0;
        loop {
            let mut windows = self.shown[searched..].windows(text.len());
            if let Some(at) = windows.position(|window| window == text.as_bytes()) {
                let rest = self.shown.split_off(searched + at + text.len());
                let shown = std::mem::replace(&mut self.shown, rest);
                return String::from_utf8_lossy(&shown).into_owned();
            }
            searched = self.shown.len().saturating_sub(text.len());
            let is_late = Instant::now() > deadline;
            if is_late || !self.read().await {
                let last = &self.shown[self.shown.len().saturating_sub(500)..];
                panic!("no {text:?}, but {:?}", String::from_utf8_lossy(last));
            }
        }
    }

    /// Reads to the close, and returns its code and its reason.
    async fn read_to_end(&mut self) -> (u16, Value) {
        while self.read().await {}
        self.close.clone().expect("a close frame")
    }

    async fn read(&mut self) -> bool {
        let before = self.shown.len();
        let is_open = self.read_control().await;
        let is_output = self.shown.len() > before;
        assert!(
            !is_output || self.controls.len() == 1,
            "output behind the end"
        );
        is_open
    }

    /// Reads one message, where controls may be among the output.
    async fn read_control(&mut self) -> bool {
        let next = tokio::time::timeout(Duration::from_secs(30), self.client.socket.next());
        let next = next.await.unwrap_or_else(|_| {
            panic!(
                "nothing comes behind {:?}",
                String::from_utf8_lossy(&self.shown)
            )
        });
        match next {
            Some(Ok(Message::Binary(bytes))) => {
                assert!(self.close.is_none() && !self.controls.is_empty());
                self.longest = self.longest.max(bytes.len());
                self.shown.extend_from_slice(&bytes);
            }
            Some(Ok(Message::Text(text))) => {
                self.controls.push(serde_json::from_str(&text).unwrap());
            }
            Some(Ok(Message::Close(Some(frame)))) => {
                let reason = serde_json::from_str(&frame.reason).unwrap_or_default();
                self.close = Some((frame.code.into(), reason));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return false,
        }
        true
    }
}

#[tokio::test]
async fn create_connect_makes_a_terminal_of_its_own() {
    let server = TestServer::unix(Access::Open).await;
    // {"K":"v w?>","HOME":"/"} and a character of another alphabet than base64's usual one.
    let envs = "X-Daytona-Pty-Envs~eyJLIjoidiB3Pz4iLCJIT01FIjoiLyJ9";
    let path = "/process/pty/create-connect?id=a%20b&cols=111&rows=33&cwd=%2Fusr";
    for offered in [
        format!("{EXIT_CONTROL}, {envs}"),
        format!("{envs}, {EXIT_CONTROL}, X-Daytona-SDK-Version~0.226.1"),
    ] {
        let headers = [("Sec-WebSocket-Protocol", offered.as_str())];
        let client = server.upgrade(path, &headers).await.ok().unwrap();
        let selected = client.answer.header("sec-websocket-protocol");
        assert_eq!(selected, Some(EXIT_CONTROL.to_lowercase().as_str()));
        let mut user = User::new(client);
        let again = server.upgrade(path, &headers).await.err().unwrap();
        again.expect_error(409, "CONFLICT");
        let info = server.get("/process/pty/a%20b", &[]).await.json();
        assert_eq!((&info["cols"], &info["rows"]), (&json!(111), &json!(33)));
        assert_eq!(info["envs"]["K"], "v w?>");
        user.types("stty size; pwd; echo \"$K\"; exit 7\n").await;
        user.until("33 111\r\n/usr\r\nv w?>\r\n").await;
        let reason = json!({"exitCode": 7, "exitReason": "non-zero exit"});
        assert_eq!(user.read_to_end().await, (1011, reason));
        let connected = json!({"type": "control", "status": "connected"});
        let exited = json!({"type": "control", "status": "exited", "exitCode": 7,
            "exitReason": "non-zero exit"});
        let last = user.controls[1].as_object_mut().unwrap();
        let ended = last.remove("termination").unwrap();
        assert!(ended["exitCode"] == 7 && ended["usage"].is_object());
        assert_eq!(user.controls, [connected, exited]);
        assert_eq!(server.get("/process/pty/a%20b", &[]).await.status, 404);
    }
    server.end().await;
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_before_the_upgrade() {
    let server = TestServer::unix(Access::Open).await;
    for (query, status, code) in [
        ("", 400, "BAD_REQUEST"),
        ("?id=", 400, "BAD_REQUEST"),
        ("?id=a/b", 400, "BAD_REQUEST"),
        ("?id=create-connect", 400, "BAD_REQUEST"),
        ("?id=a&cols=1001", 400, "BAD_REQUEST"),
        ("?id=a&cols=-1", 400, "BAD_REQUEST"),
        ("?id=a&rows=x", 400, "BAD_REQUEST"),
        ("?id=a&rows=65536", 400, "BAD_REQUEST"),
        ("?id=a&mode=other", 400, "BAD_REQUEST"),
        ("?id=a&since=-1", 400, "BAD_REQUEST"),
        ("?id=a&cwd=/no/such", 500, "INTERNAL_SERVER_ERROR"),
        ("?id=a&cwd=/etc/passwd", 500, "INTERNAL_SERVER_ERROR"),
    ] {
        let path = format!("/process/pty/create-connect{query}");
        let refused = server.upgrade(&path, &[]).await.err().expect(query);
        refused.expect_error(status, code);
    }
    for envs in ["e30$", "W10", "eyJBIjoxfQ", "eyI9IjoiIn0"] {
        let offered = format!("X-Daytona-Pty-Envs~{envs}");
        let headers = [("Sec-WebSocket-Protocol", offered.as_str())];
        let path = "/process/pty/create-connect?id=a";
        let refused = server.upgrade(path, &headers).await.err().expect(envs);
        refused.expect_error(400, "BAD_REQUEST");
        assert!(!String::from_utf8_lossy(&refused.body).contains(envs));
    }
    // Not an upgrade at all.
    let answer = server.get("/process/pty/create-connect?id=a", &[]).await;
    answer.expect_error(400, "BAD_REQUEST");
    let answer = server.get("/process/pty/none/connect", &[]).await;
    answer.expect_error(400, "BAD_REQUEST");
    let refused = server.upgrade("/process/pty/none/connect", &[]).await;
    refused
        .err()
        .unwrap()
        .expect_error(404, "PROCESS_NOT_FOUND");
    let listed = server.get("/process/pty", &[]).await.json();
    assert_eq!(listed, json!({"sessions": []}));
    server.end().await;
}

#[tokio::test]
async fn a_subprotocol_without_variables_is_selected() {
    let server = TestServer::unix(Access::Open).await;
    let envs = "X-Daytona-Pty-Envs~eyJBIjoiYiJ9";
    let version = "X-Daytona-SDK-Version~0.226.1";
    for (offered, expect) in [
        (String::new(), None),
        (envs.to_owned(), None),
        ("chat".to_owned(), None),
        (version.to_owned(), Some(version)),
        (format!("{envs}, {version}"), Some(version)),
        (format!("{version}, {EXIT_CONTROL}"), Some(EXIT_CONTROL)),
    ] {
        let headers = [("Sec-WebSocket-Protocol", offered.as_str())];
        let path = "/process/pty/create-connect?id=a";
        let client = server.upgrade(path, &headers).await.ok().unwrap();
        let selected = client.answer.header("sec-websocket-protocol");
        assert_eq!(selected, expect.map(str::to_lowercase).as_deref());
        server.send("DELETE", "/process/pty/a", &[], b"").await;
    }
    server.end().await;
}

#[tokio::test]
async fn many_watch_and_some_only_that() {
    let server = TestServer::unix(Access::Open).await;
    let mut first = server.terminal("t").await;
    first.types("stty -echo; echo one\n").await;
    first.until("one\r\n").await;
    let mut viewer = server.attach("t", "?mode=viewer").await;
    // It came late, and sees what there was.
    viewer.until("one\r\n").await;
    viewer.types("echo three\n").await;
    let mut second = server.attach("t", "?mode=shared").await;
    second.types("echo two\n").await;
    for user in [&mut first, &mut viewer] {
        user.until("two\r\n").await;
    }
    // A client that goes changes nothing.
    drop(first);
    second.types("exit\n").await;
    assert_eq!(viewer.read_to_end().await, (1000, json!({"exitCode": 0})));
    assert_eq!(second.read_to_end().await, (1000, json!({"exitCode": 0})));
    assert!(!String::from_utf8_lossy(&viewer.shown).contains("three"));
    // A client comes after the end.
    let mut late = server.attach("t", "").await;
    let until_two = late.until("two\r\n").await.len();
    assert_eq!(late.read_to_end().await, (1000, json!({"exitCode": 0})));
    let all = until_two + late.shown.len();
    let mut rest = server.attach("t", &format!("?since={}", all - 2)).await;
    rest.read_to_end().await;
    assert_eq!(rest.shown, b"\r\n");
    let beyond = format!("/process/pty/t/connect?since={}", all + 1);
    let refused = server.upgrade(&beyond, &[]).await.err().unwrap();
    refused.expect_error(416, "RANGE_NOT_SATISFIABLE");
    server.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_stalls_no_other() {
    let server = TestServer::tcp(Access::Open).await;
    let mut fast = server.terminal("t").await;
    fast.types("stty -echo; echo ready\n").await;
    fast.until("ready\r\n").await;
    let mut slow = server.attach("t", "").await;
    slow.until("ready\r\n").await;
    fast.types("seq 1 3000000; echo done\n").await;
    fast.until("\r\n3000000\r\ndone\r\n").await;
    // Its keystrokes are taken all the same.
    slow.types("exit 5\n").await;
    let reason = json!({"exitCode": 5, "exitReason": "non-zero exit"});
    assert_eq!(fast.read_to_end().await, (1011, reason.clone()));
    assert_eq!(slow.read_to_end().await, (1011, reason));
    let shown = String::from_utf8(slow.shown).unwrap();
    let (before, behind) = shown.rsplit_once(DISCARDED).unwrap();
    let numbers = |text: &str| {
        let numbers = text.lines().filter_map(|line| line.trim().parse().ok());
        numbers.collect::<Vec<u32>>()
    };
    // A client that reads now and then has more than one gap.
    let mut missing = 0;
    let mut kept = Vec::new();
    for part in before.split(DISCARDED) {
        let (part, bytes) = part.rsplit_once('[').unwrap();
        missing += bytes.parse::<usize>().unwrap();
        kept.push(numbers(part));
    }
    kept.push(numbers(behind));
    assert!(missing > 1_000_000, "{missing}");
    // On a busy machine the first gap may begin at once.
    assert!(kept[0].first().is_none_or(|first| *first == 1));
    let last = kept.len() - 1;
    assert_eq!(kept[last].last(), Some(&3_000_000));
    // Around the gaps, all is there; the numbers next to one may be cut.
    for (nth, part) in kept.iter().enumerate() {
        let end = part.len().saturating_sub(usize::from(nth < last));
        let whole = part[..end].iter().skip(usize::from(nth > 0));
        assert!(whole.is_sorted_by(|a, b| **a + 1 == **b), "part {nth}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_client_of_the_extension_receives_offsets_and_gaps() {
    let server = TestServer::tcp(Access::Open).await;
    let mut user = server.terminal("t").await;
    user.types("stty -echo; echo ready\n").await;
    user.until("ready\r\n").await;
    let headers = [(
        "Sec-WebSocket-Protocol",
        "X-Daytona-Pty-Exit-Control, sandbox.pty.v1",
    )];
    let path = "/process/pty/t/connect";
    let client = server.upgrade(path, &headers).await.ok().unwrap();
    let selected = client.answer.header("sec-websocket-protocol");
    assert_eq!(selected, Some("sandbox.pty.v1"));
    let mut slow = User::new(client);
    user.types("seq 1 3000000; exit\n").await;
    user.read_to_end().await;
    // It has not read until now.
    let (mut position, mut gaps) = (0, 0);
    let mut told = 0;
    loop {
        let before = slow.shown.len();
        if !slow.read_control().await {
            break;
        }
        position += (slow.shown.len() - before) as u64;
        if slow.controls.len() > told {
            told = slow.controls.len();
            let control = &slow.controls[told - 1];
            match control["status"].as_str().unwrap() {
                "gap" => {
                    assert_eq!(control["offset"], position);
                    position += control["missing"].as_u64().unwrap();
                    gaps += 1;
                }
                "connected" => assert_eq!(control["offset"], 0),
                "exited" => assert_eq!(control["exitCode"], 0),
                other => panic!("{other}"),
            }
        }
    }
    assert!(gaps > 0, "it was not slow");
    assert!(!String::from_utf8_lossy(&slow.shown).contains("were discarded"));
    let beyond = format!("{path}?since={}", position + 1);
    let refused = server.upgrade(&beyond, &[]).await.err().unwrap();
    refused.expect_error(416, "RANGE_NOT_SATISFIABLE");
    server.end().await;
}

#[tokio::test]
async fn a_keystroke_acts_in_a_flood() {
    let server = TestServer::tcp(Access::Open).await;
    let mut user = server.terminal("t").await;
    let mut other = server.attach("t", "").await;
    user.types("yes\n").await;
    user.until("y\r\ny\r\ny\r\n").await;
    let begin = Instant::now();
    user.types("\u{3}").await;
    user.until("^C").await;
    assert!(
        begin.elapsed() < crate::robust::PATIENCE,
        "{:?}",
        begin.elapsed()
    );
    other.types("exit\n").await;
    let reason = json!({"exitCode": 130, "exitReason": "Ctrl+C"});
    assert_eq!(user.read_to_end().await, (1011, reason));
    server.end().await;
}

#[tokio::test]
async fn messages_of_terminals_are_bounded() {
    let server = TestServer::tcp(Access::Open).await;
    let mut user = server.terminal("t").await;
    user.types("stty -echo; echo ready; cat > pasted; echo got\n")
        .await;
    user.until("ready\r\n").await;
    let line = b"0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnop\n";
    let paste: Bytes = line.iter().copied().cycle().take(8 << 20).collect();
    user.types(paste.clone()).await;
    user.types("\u{4}").await;
    user.until("got\r\n").await;
    let pasted = std::fs::read(server.engine.work_dir().join("pasted")).unwrap();
    assert!(pasted == paste, "{} bytes", pasted.len());
    user.types("seq 1 100000; echo all\n").await;
    user.until("all\r\n").await;
    assert!(user.longest <= sandbox_daemon::limits::PTY_PIECE_BYTES);

    let too_long = vec![b'x'; sandbox_daemon::limits::PTY_MESSAGE_BYTES + 1];
    let _ = user
        .client
        .socket
        .send(Message::Binary(too_long.into()))
        .await;
    let (code, _) = user.read_to_end().await;
    assert_eq!(code, 1009);
    // The terminal is still there.
    let mut next = server.attach("t", "").await;
    next.types("exit 3\n").await;
    assert_eq!(next.read_to_end().await.0, 1011);
    server.end().await;
}

#[tokio::test]
async fn a_server_that_ends_takes_its_terminals_along() {
    let server = TestServer::unix(Access::Open).await;
    let mut user = server.terminal("t").await;
    user.types("echo ready\n").await;
    user.until("ready\r\n").await;
    let pty = server.engine.ptys().get("t").unwrap();
    server.ask_to_end();
    assert_eq!(user.read_to_end().await, (1001, Value::Null));
    drop(user);
    server.end().await;
    tokio::time::timeout(crate::robust::PATIENCE, pty.ended())
        .await
        .expect("an end");
}
