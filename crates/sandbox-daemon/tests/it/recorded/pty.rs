//! Terminals over HTTP.

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::replay::{Ours, Replay, Rules};
use super::request::{entries, text};
use super::tally::Tally;

#[tokio::test]
async fn pty() {
    let mut replay = Replay::begin().await;
    replay
        .server
        .execute(br#"{"command": "mkdir -p node_modules"}"#)
        .await;
    let entries = entries(include_str!("../../data/pty.json"));
    let mut tally = Tally::of("pty");
    let mut begin = 0;
    // What was done before an entry, and is not recorded here.
    for (name, preparation) in [
        ("resize before it starts", Preparation::MakeLazily("vec-r")),
        ("resize 1 by 1", Preparation::Connect("vec-r")),
        ("resize after delete", Preparation::Delete("vec-r")),
        ("get after the end", Preparation::End("vec-gone")),
    ] {
        let end = entries.iter().position(|entry| entry["name"] == name);
        let end = end.unwrap_or_else(|| panic!("no entry is called {name:?}"));
        replay
            .run_all(&mut tally, &entries[begin..end], &RULES)
            .await;
        replay.prepare(preparation).await;
        begin = end;
    }
    replay.run_all(&mut tally, &entries[begin..], &RULES).await;
    tally.finish(entries.len());
    replay.end().await;
}

const RULES: Rules = Rules {
    passed_over: &[],
    any_order: &[],
    ours,
};

enum Preparation {
    MakeLazily(&'static str),
    Connect(&'static str),
    Delete(&'static str),
    /// Makes one whose shell ends.
    End(&'static str),
}

impl Replay {
    async fn prepare(&self, preparation: Preparation) {
        let server = &self.server;
        match preparation {
            Preparation::MakeLazily(id) => {
                let body = json!({"id": id, "lazyStart": true});
                assert_eq!(server.post("/process/pty", &[], body).await.status, 201);
            }
            Preparation::Connect(id) => {
                let path = format!("/process/pty/{id}/connect");
                // It may go at once.
                drop(server.upgrade(&path, &[]).await.ok().unwrap());
            }
            Preparation::Delete(id) => {
                let path = format!("/process/pty/{id}");
                assert_eq!(server.send("DELETE", &path, &[], b"").await.status, 200);
            }
            Preparation::End(id) => {
                server.post("/process/pty", &[], json!({"id": id})).await;
                let path = format!("/process/pty/{id}/connect");
                let mut client = server.upgrade(&path, &[]).await.ok().unwrap();
                client.send(Message::Text("exit\n".into())).await;
                while let Some(Ok(_)) = client.socket.next().await {}
            }
        }
    }
}

fn ours(name: &str) -> Vec<Ours> {
    let one = |status, fields: Value| vec![(status, fields)];
    let bad = || one(400, json!({"code": "BAD_REQUEST"}));
    let malformed = || one(400, json!({"code": "INVALID_REQUEST_BODY"}));
    let not_found = || one(404, json!({"code": "PROCESS_NOT_FOUND"}));
    match name {
        "create without id" | "create, sessionId instead of id" | "id with slash" => bad(),
        "create malformed" | "create without body" | "create id number" | "resize malformed" => {
            malformed()
        }
        // An empty id has no terminal.
        "get it, cols zero" => one(200, json!({"cols": 80, "rows": 24})),
        "resize zero" | "resize cols zero" | "resize too big" => bad(),
        "resize missing" | "resize only cols" | "resize null" => malformed(),
        // The last size that was accepted.
        "resize before it starts" | "get after that" => one(200, json!({"cols": 50, "rows": 20})),
        "get id with slash" | "delete id with slash" => not_found(),
        // Told to people, in other words.
        "delete"
        | "delete lazy"
        | "delete id with blank"
        | "delete id with blank only"
        | "delete id with unicode" => one(200, json!({})),
        "id with long" => bad(),
        "get id with long" | "delete id with long" => not_found(),
        "get unknown" | "delete unknown" | "get after the end" | "delete after the end" => {
            not_found()
        }
        "resize unknown" | "resize after delete" | "resize after the end" => {
            one(410, json!({"code": "SESSION_ENDED"}))
        }
        "list, trailing slash" => one(200, json!({})),
        "put" | "resize by get" => one(405, json!({"code": "METHOD_NOT_ALLOWED"})),
        "list with an id that cannot be addressed" => one(200, json!({})),
        _ => vec![],
    }
}

/// So that a changed file of recordings is noticed.
#[test]
fn all_entries_are_there() {
    let entries = entries(include_str!("../../data/pty.json"));
    assert_eq!(entries.len(), 95);
    let faults = entries.iter().filter(|entry| entry.get("fault").is_some());
    for entry in faults {
        let name = text(&entry["name"]);
        assert!(!ours(name).is_empty(), "{name}");
    }
}
