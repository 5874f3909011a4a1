//! Terminals.

use std::time::Duration;

use sandbox_tests::Sandbox;
use sandbox_transport::{
    CallOptions, PtyAttachRequest, PtyConnection, PtyEvent, PtyInfo, PtyRequest, PtySize,
};

use super::cases;
use super::transcript::{Joined, Transcript};

cases![
    made,
    created_once,
    refusals,
    typed,
    watched,
    ended,
    read_slowly,
];

/// The shell of a user who has set up nothing.
fn request(id: &str) -> PtyRequest {
    PtyRequest {
        id: id.to_owned(),
        env: [("HOME".to_owned(), "/no/home".to_owned())].into(),
        ..PtyRequest::default()
    }
}

/// Without the time.
fn timeless(info: PtyInfo) -> PtyInfo {
    assert!(info.created_at.is_some(), "{info:?}");
    PtyInfo {
        created_at: None,
        ..info
    }
}

/// A terminal is created once by a key, and a connection to it is another operation.
async fn created_once(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    for (key, id) in [("one", "a"), ("one", "a"), ("two", "a"), ("one", "b")] {
        let keyed = api.with_options(CallOptions::new().idempotency_key(key));
        told.result(key, keyed.create_pty(request(id)).await);
    }
    told.tell("listed", api.list_ptys().await.unwrap().len());
    api.delete_pty("a").await.unwrap();
}

async fn made(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let sized = PtyRequest {
        size: Some(PtySize { rows: 40, cols: 0 }),
        cwd: Some("/".to_owned()),
        ..request("a")
    };
    told.result("create", api.create_pty(sized).await);
    let lazy = PtyRequest {
        lazy_start: true,
        ..request("b c?")
    };
    told.result("create", api.create_pty(lazy).await);
    for id in ["a", "b c?"] {
        told.result("info", api.pty_info(id).await.map(timeless));
    }
    let listed = api.list_ptys().await.unwrap();
    told.tell("list", listed.into_iter().map(timeless).collect::<Vec<_>>());
    let size = PtySize {
        cols: 120,
        rows: 50,
    };
    for id in ["a", "b c?"] {
        told.result("resize", api.resize_pty(id, size).await.map(timeless));
    }
    for id in ["a", "b c?", "a"] {
        told.result("delete", api.delete_pty(id).await);
    }
}

async fn refusals(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    api.create_pty(request("p")).await.unwrap();
    let bad = [
        request("p"),
        request(""),
        request("a/b"),
        PtyRequest {
            size: Some(PtySize {
                rows: 24,
                cols: 1001,
            }),
            ..request("q")
        },
        PtyRequest {
            cwd: Some("no/such".to_owned()),
            ..request("q")
        },
        PtyRequest {
            env: [("A-B".to_owned(), String::new())].into(),
            ..request("q")
        },
    ];
    for request in bad {
        told.result("create", api.create_pty(request.clone()).await);
        let opened = api.open_pty(request).await.map(drop);
        told.refusal("open", &opened.unwrap_err());
    }
    told.result("info", api.pty_info("none").await);
    told.result("delete", api.delete_pty("none").await);
    for (id, cols) in [("none", 80), ("p", 0), ("p", 1001)] {
        let size = PtySize { cols, rows: 24 };
        told.result("resize", api.resize_pty(id, size).await.map(timeless));
    }
    for request in [
        PtyAttachRequest::new("none"),
        PtyAttachRequest::new("p").offset(1 << 40),
    ] {
        let connected = api.connect_pty(request).await.map(drop);
        told.refusal("connect", &connected.unwrap_err());
    }
    api.delete_pty("p").await.unwrap();
}

async fn typed(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let mut connection = api.open_pty(request("p")).await.unwrap();
    told.tell("opened", (&connection.id, connection.offset));
    let text = "stty size; echo $((6 * 7))-shown\n";
    told.result("typed", connection.control.write(text.into()).await);
    let shown = until(&mut connection, "42-shown\r\n").await;
    told.tell("size", shown.contains("\n24 80\r\n"));
    let offset = shown.len() as u64;

    // Another client has what comes next, from where this one is.
    let attach = PtyAttachRequest::new("p").offset(offset);
    let mut other = api.connect_pty(attach).await.unwrap();
    told.tell("offset", other.offset == Some(offset));
    other
        .control
        .write("echo $((7 * 8))-both; exit 5\n".into())
        .await
        .unwrap();
    for connection in [&mut connection, &mut other] {
        let (shown, end) = to_the_end(connection).await;
        told.tell("both", shown.matches("56-both\r\n").count());
        told.tell("end", end);
    }
    told.result("gone", api.pty_info("p").await);
}

async fn watched(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    let mut connection = api.open_pty(request("p")).await.unwrap();
    let watch = PtyAttachRequest::new("p").offset(0).read_only();
    let mut viewer = api.connect_pty(watch).await.unwrap();
    let ignored = viewer
        .control
        .write("echo $((1 + 1))-ignored\n".into())
        .await;
    told.result("ignored", ignored);
    connection
        .control
        .write("echo $((2 + 1))-typed; exit\n".into())
        .await
        .unwrap();
    for connection in [&mut connection, &mut viewer] {
        let (shown, end) = to_the_end(connection).await;
        told.tell(
            "shown",
            (shown.contains("3-typed"), shown.contains("2-ignored")),
        );
        told.tell("end", end);
    }
}

async fn ended(sandbox: &Sandbox, told: &mut Transcript) {
    let api = sandbox.process.api();
    // Left, found again, and ended by its id.
    drop(api.open_pty(request("p")).await.unwrap());
    let mut connection = api.connect_pty(PtyAttachRequest::new("p")).await.unwrap();
    connection
        .control
        .write("echo $((4 + 4))-back\n".into())
        .await
        .unwrap();
    until(&mut connection, "8-back\r\n").await;
    told.result("delete", api.delete_pty("p").await);
    told.tell("end", to_the_end(&mut connection).await.1);

    let mut connection = api.open_pty(request("p")).await.unwrap();
    connection
        .control
        .write("kill -HUP $$\n".into())
        .await
        .unwrap();
    told.tell("signaled", to_the_end(&mut connection).await.1);
}

/// A client that is slower than the program receives every byte, up to the last ones before the end.
async fn read_slowly(sandbox: &Sandbox, told: &mut Transcript) {
    const BYTES: usize = 8 << 20;
    let api = sandbox.process.api();
    let mut connection = api.open_pty(request("p")).await.unwrap();
    let text = format!(
        "stty -echo -opost; PS1=; head -c {BYTES} /dev/zero | tr '\\0' x; exec echo whole\n"
    );
    connection.control.write(text.into()).await.unwrap();
    let (mut shown, mut end) = (Vec::new(), None);
    while let Some(event) = connection.events.next().await {
        match event.unwrap() {
            PtyEvent::Output { bytes } => shown.extend_from_slice(&bytes),
            other => end = Some(other),
        }
        if shown.len() < BYTES / 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let expected = [vec![b'x'; BYTES], b"whole\n".to_vec()].concat();
    assert!(shown.ends_with(&expected), "{} bytes", shown.len());
    told.tell("end", end);
}

/// What is shown up to here.
async fn until(connection: &mut PtyConnection, end: &str) -> String {
    let mut joined = Joined::default();
    loop {
        let event = connection.events.next().await.unwrap().unwrap();
        assert_eq!(joined.pty(event), None);
        let shown = joined.text().0;
        if shown.contains(end) {
            return shown;
        }
    }
}

async fn to_the_end(connection: &mut PtyConnection) -> (String, Option<PtyEvent>) {
    let mut joined = Joined::default();
    let mut end = None;
    while let Some(event) = connection.events.next().await {
        end = joined.pty(event.unwrap()).or(end);
    }
    if let Some(PtyEvent::Exited { usage, .. }) = &end {
        assert!(usage.is_some_and(|usage| !usage.wall_time.is_zero()));
    }
    (joined.text().0, end)
}
