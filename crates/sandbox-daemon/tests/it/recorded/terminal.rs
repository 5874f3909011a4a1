//! The sockets of terminals.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::compare::error_code;
use super::replay::Replay;
use super::request::{base64, entries, status, text};
use super::tally::{Tally, caught};
use crate::socket::Client;

#[tokio::test]
async fn terminals() {
    let replay = Replay::begin().await;
    // With the prompt of the recordings.
    let prepare = json!({"command": "home=$(mktemp -d)
cat > \"$home/.bash_profile\" <<'end'
if [ \"$PWD\" = /usr ]; then P=/usr; else P='<work-dir>'; fi
PS1='root@<host>:$P# '
end
printf %s \"$home\""});
    let prepared = replay
        .server
        .execute(prepare.to_string().as_bytes())
        .await
        .json();
    let home = text(&prepared["result"]).to_owned();
    let entries = entries(include_str!("../../data/ws-pty.json"));
    assert_eq!(entries.len(), 42);
    let (home, this) = (home.as_str(), &replay);
    let checks = entries.iter().enumerate().map(|(index, entry)| {
        let mut entry = entry.clone();
        let id = id(&entry);
        // Some have the same, and all are replayed at the same time.
        let path = text(&entry["request"]["path"]).replace(&id, &format!("{id}-{index}"));
        if entry["name"] != "create-connect is newer" {
            entry["request"]["path"] = path.into();
        }
        async move {
            let begin = Instant::now();
            let check = async {
                this.replay_terminal(entry, home).await;
                Ok(())
            };
            (begin, caught(check).await)
        }
    });
    let mut tally = Tally::of("ws-pty");
    for (entry, (begin, result)) in entries.iter().zip(join_all(checks).await) {
        tally.tell(entry, result, begin);
    }
    let remove = json!({"command": format!("rm -r {home}")});
    replay.server.execute(remove.to_string().as_bytes()).await;
    tally.finish(entries.len());
    replay.end().await;
}

/// Waits until `sleep 30` runs here: until then Ctrl-C is the shell's.
const CHILD_RUNS: &str = "while :; do for process in /proc/[0-9]*; do
    { read -r name <$process/comm; } 2>/dev/null && [ \"$name\" = sleep ] && [ $process/cwd -ef . ] &&
        [ \"$(tr '\\0' ' ' <$process/cmdline)\" = 'sleep 30 ' ] && exit
done; done";

impl Replay {
    async fn replay_terminal(&self, entry: Value, home: &str) {
        let entry = &entry;
        let name = text(&entry["name"]);
        let id = &id(entry);
        let mut create = json!({"id": id, "envs": {"HOME": home}});
        match name {
            "size and terminal" => {
                create = json!({"id": id, "cwd": "/usr", "cols": 100, "rows": 30,
                    "envs": {"HOME": home, "K": "v"}});
            }
            "lazy start" => create["lazyStart"] = true.into(),
            "lazy in a missing cwd" => {
                create["lazyStart"] = true.into();
                create["cwd"] = "/no/such".into();
            }
            _ => {}
        }
        if !matches!(name, "unknown id" | "create-connect is newer") {
            let made = self.server.post("/process/pty", &[], create).await;
            assert_eq!(made.status, 201, "{name}: {made:?}");
        }
        let Some(client) = self.connect(entry).await else {
            return;
        };
        let mut frames = entry["frames"].as_array().cloned().unwrap_or_default();
        if name == "input of 65537 bytes" {
            // Ours takes it, and goes on.
            assert_eq!(frames.pop().unwrap()["op"], "close");
            frames.push(json!({"dir": "send", "op": "ping", "text": "p1"}));
            frames.push(json!({"dir": "recv", "op": "pong"}));
        }
        let of = |client: &str| {
            let of_client = |frame: &&Value| frame["client"] == client || frame["client"].is_null();
            frames.iter().filter(of_client).cloned().collect::<Vec<_>>()
        };
        let mut a = Watcher::new(name, client);
        match entry["clients"].as_array() {
            None => a.exchange(self, id, &frames).await,
            Some(_) if name == "two clients" => {
                let mut b = Watcher::new(name, self.connect(entry).await.unwrap());
                // What one types the other sees; so one after the other, up to where the other types.
                let (of_a, of_b) = (of("a"), of("b"));
                a.exchange(self, id, &of_a[..2]).await;
                b.exchange(self, id, &of_b[..4]).await;
                a.exchange(self, id, &of_a[2..]).await;
                b.exchange(self, id, &of_b[4..]).await;
            }
            Some(_) => {
                let (of_a, of_b) = (of("a"), of("b"));
                a.exchange(self, id, &of_a).await;
                drop(a);
                let mut b = Watcher::new(name, self.connect(entry).await.unwrap());
                // What the first saw comes first: it is replayed.
                b.replayed = shown(&of_a);
                if name == "connect after the end" {
                    let close = of_a.last().unwrap().clone();
                    b.exchange(self, id, &[of_a[0].clone(), close]).await;
                } else {
                    b.exchange(self, id, &of_b).await;
                }
            }
        }
    }

    /// Upgrades as recorded; `None` if it was rightly refused.
    async fn connect(&self, entry: &Value) -> Option<Client> {
        let name = text(&entry["name"]);
        let request = &entry["request"];
        let offered = request["subprotocols"].as_array().into_iter().flatten();
        let offered = offered.map(text).collect::<Vec<_>>().join(", ");
        let headers = [("Sec-WebSocket-Protocol", offered.as_str())];
        let expect = match name {
            "unknown id" => 404,
            "lazy in a missing cwd" => 500,
            "create-connect is newer" => 101,
            _ => status(entry).unwrap(),
        };
        match self.server.upgrade(text(&request["path"]), &headers).await {
            Ok(client) => {
                assert_eq!(expect, 101, "{name}");
                let recorded = entry["headers"]["Sec-WebSocket-Protocol"].as_str();
                let selected = match name {
                    "exit control offered" => Some(offered.as_str()),
                    _ => recorded,
                };
                let answered = client.answer.header("sec-websocket-protocol");
                assert_eq!(
                    answered,
                    selected.map(str::to_lowercase).as_deref(),
                    "{name}"
                );
                Some(client)
            }
            Err(refused) => {
                assert_eq!(refused.status, expect, "{name}: {refused:?}");
                error_code(&refused).unwrap();
                None
            }
        }
    }
}

/// The id in the path of a request.
fn id(entry: &Value) -> String {
    let path = text(&entry["request"]["path"]);
    path.split('/').nth(3).unwrap().to_owned()
}

/// One client of a terminal.
struct Watcher<'a> {
    name: &'a str,
    client: Client,
    /// What it saw, without what is chance.
    seen: String,
    raw: Vec<u8>,
    replayed: String,
    expect: String,
    close: Option<(u16, String)>,
    controls: Vec<Value>,
    pongs: usize,
}

impl<'a> Watcher<'a> {
    fn new(name: &'a str, client: Client) -> Self {
        Self {
            name,
            client,
            seen: String::new(),
            raw: Vec::new(),
            replayed: String::new(),
            expect: String::new(),
            close: None,
            controls: Vec::new(),
            pongs: 0,
        }
    }

    async fn exchange(&mut self, replay: &Replay, id: &str, frames: &[Value]) {
        let name = self.name;
        let connected = json!({"type": "control", "status": "connected"});
        for frame in frames {
            match (
                text(&frame["dir"]),
                frame["op"].as_str().unwrap_or_default(),
            ) {
                ("recv", "text") => {
                    self.until("connected", |seen| !seen.controls.is_empty())
                        .await;
                    assert!(self.raw.is_empty(), "{name}: shown before");
                    assert_eq!(self.controls, std::slice::from_ref(&connected), "{name}");
                }
                ("recv", "binary") => self.expect.push_str(&shown(std::slice::from_ref(frame))),
                ("recv", "nothing") => {
                    self.until("a prompt", |seen| has_prompt(&seen.raw)).await;
                }
                ("recv", "pong") => self.until("a pong", |seen| seen.pongs == 1).await,
                ("recv", "close" | "eof") => self.ends(frame).await,
                ("send", op) => {
                    self.until("what was shown", |seen| {
                        has_prompt(&seen.raw) && seen.is_as_expected()
                    })
                    .await;
                    if name == "ctrl-c stops a child" && frame["text"] == "\u{3}" {
                        let body = json!({"command": CHILD_RUNS, "timeout": 60});
                        let body = body.to_string();
                        let runs = replay.server.execute(body.as_bytes()).await.json();
                        assert_eq!(runs["exitCode"], 0, "{name}: {runs}");
                    }
                    let message = match op {
                        "ping" => Message::Ping(text(&frame["text"]).to_owned().into()),
                        "close" => Message::Close(Some(CloseFrame {
                            code: 1000.into(),
                            reason: "".into(),
                        })),
                        "text" => Message::Text(text(&frame["text"]).into()),
                        _ if name == "fragmented input" => {
                            self.send_fragment(frame).await;
                            continue;
                        }
                        _ => Message::Binary(typed(frame).into()),
                    };
                    self.client.socket.send(message).await.unwrap();
                }
                ("event", _) => self.event(replay, id, text(&frame["note"])).await,
                _ => panic!("{name}: {frame}"),
            }
            if name == "deleted" && frame["op"] == "nothing" {
                let path = format!("/process/pty/{id}");
                replay.server.send("DELETE", &path, &[], b"").await;
            }
        }
        if self.close.is_none() {
            self.until("what was shown", Self::is_as_expected).await;
        }
    }

    async fn event(&self, replay: &Replay, id: &str, note: &str) {
        match note {
            "POST resize cols 111 rows 33" => {
                let path = format!("/process/pty/{id}/resize");
                let body = json!({"cols": 111, "rows": 33});
                assert_eq!(replay.server.post(&path, &[], body).await.status, 200);
            }
            "idle 12 s" => tokio::time::sleep(Duration::from_secs(12)).await,
            "socket closed, opened again" => {}
            other => panic!("{}: {other}", self.name),
        }
    }

    /// Sends the two halves of a message, of which the second may be sent only after the first.
    async fn send_fragment(&mut self, frame: &Value) {
        use tokio_tungstenite::tungstenite::protocol::frame::Frame;
        use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
        let (kind, is_last) = match text(&frame["op"]) {
            "binary" => (Data::Binary, false),
            _ => (Data::Continue, true),
        };
        let frame = Frame::message(typed(frame), OpCode::Data(kind), is_last);
        self.client
            .socket
            .send(Message::Frame(frame))
            .await
            .unwrap();
    }

    /// Reads to the close, and compares it and all that was shown.
    async fn ends(&mut self, frame: &Value) {
        let name = self.name;
        self.until("the close", |seen| seen.close.is_some()).await;
        let exited = |code: u16, exit: i32, reason: &str| {
            (
                code,
                json!({"exitCode": exit, "exitReason": reason}).to_string(),
            )
        };
        let expect = match name {
            "killed by itself" => exited(1011, 137, "SIGKILL"),
            "shell killed by HUP" => exited(1011, 129, "signal 1"),
            "silent for 12 s, then exit by itself" => (1000, json!({"exitCode": 0}).to_string()),
            _ => {
                let code = frame["code"].as_u64().unwrap();
                (
                    u16::try_from(code).unwrap(),
                    text(&frame["reason"]).to_owned(),
                )
            }
        };
        assert_eq!(self.close, Some(expect.clone()), "{name}");
        assert!(
            self.is_as_expected(),
            "{name}: {:?} instead of {:?}{:?}",
            self.seen,
            self.replayed,
            self.expect
        );
        let mut controls = vec![json!({"type": "control", "status": "connected"})];
        if name == "exit control offered" {
            let mut exited: Value = serde_json::from_str(&expect.1).unwrap();
            exited["type"] = "control".into();
            exited["status"] = "exited".into();
            controls.push(exited);
        }
        let mut seen = self.controls.clone();
        // An extension: the reference has none of it.
        let last = seen.last_mut().and_then(Value::as_object_mut);
        last.and_then(|last| last.remove("termination"));
        assert_eq!(seen, controls, "{name}");
        let last = match name {
            "output lost at the end" => "a\u{fffd}b\0clogout\n",
            _ if name.starts_with("exit ") => "logout\n",
            _ => "",
        };
        assert!(self.seen.ends_with(last), "{name}: {:?}", self.seen);
    }

    /// Whether it has seen what the reference showed, which is all of it unless that lost some at the end.
    fn is_as_expected(&self) -> bool {
        // How many of 65,536 interrupts are shown before the shell takes the first is chance.
        if self.name == "input of 65536 bytes" {
            return self.expect.is_empty() || self.seen.contains("^C");
        }
        let seen = self.seen.strip_prefix(self.replayed.as_str());
        seen.is_some_and(|seen| seen.starts_with(&self.expect))
    }

    async fn until(&mut self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let reading = async {
            while !is_there(self) {
                match self.client.socket.next().await {
                    Some(Ok(message)) => self.take(message),
                    ended => panic!("{}: {ended:?} before {what}", self.name),
                }
            }
        };
        let read = tokio::time::timeout(Duration::from_secs(60), reading).await;
        assert!(
            read.is_ok(),
            "{}: no {what}: {:?} instead of {:?}{:?}",
            self.name,
            self.seen,
            self.replayed,
            self.expect
        );
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Binary(bytes) => {
                self.raw.extend_from_slice(&bytes);
                self.seen = bare(&String::from_utf8_lossy(&self.raw));
            }
            Message::Text(text) => self.controls.push(serde_json::from_str(&text).unwrap()),
            Message::Pong(bytes) => self.pongs += usize::from(bytes == "p1"),
            Message::Ping(_) => {}
            Message::Close(frame) => {
                let frame = frame.unwrap();
                self.close = Some((frame.code.into(), frame.reason.to_string()));
            }
            Message::Frame(_) => unreachable!("only written"),
        }
    }
}

fn typed(frame: &Value) -> Vec<u8> {
    let Some(count) = frame["bytes"].as_u64() else {
        return text(&frame["text"]).as_bytes().to_vec();
    };
    let (first, last) = (text(&frame["starts"]), text(&frame["ends"]));
    let count = usize::try_from(count).unwrap() - last.len();
    let mut bytes: Vec<u8> = first.bytes().cycle().take(count).collect();
    bytes.extend_from_slice(last.as_bytes());
    bytes
}

/// What frames show, without what is chance.
fn shown(frames: &[Value]) -> String {
    let of_terminal = |frame: &&Value| frame["dir"] == "recv" && frame["op"] == "binary";
    let bytes = frames.iter().filter(of_terminal).flat_map(|frame| {
        match (frame["base64"].as_str(), frame["bytes"].is_null()) {
            (Some(text), _) => base64(text),
            (None, true) => text(&frame["text"]).as_bytes().to_vec(),
            (None, false) => typed(frame),
        }
    });
    bare(&String::from_utf8_lossy(&bytes.collect::<Vec<_>>()))
}

/// Takes away prompts, which may come before or after an echo, and what switches the paste mode or redraws a line; and
/// process ids.
fn bare(shown: &str) -> String {
    let mut bare = shown.to_owned();
    for gone in [
        "root@<host>:<work-dir># ",
        "root@<host>:/usr# ",
        "\u{1b}[?2004h",
        "\u{1b}[?2004l",
        "\u{1b}[K",
        "\r",
    ] {
        bare = bare.replace(gone, "");
    }
    if let Some((before, behind)) = bare.split_once("[1] ") {
        let behind = behind.strip_prefix("<pid>").unwrap_or(behind);
        let behind = behind.trim_start_matches(|c: char| c.is_ascii_digit());
        bare = format!("{before}[1] {behind}");
    }
    bare
}

fn has_prompt(raw: &[u8]) -> bool {
    raw.windows(2).any(|window| window == b"# ")
}
