//! Tests of the events, by the clock of the timers.

use futures_util::{SinkExt, StreamExt};
use sandbox_provider::{Change, Stop};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::time::{Duration, Instant};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::events::Event;
use crate::fake::{KEY, Plane};
use crate::limits::{
    EVENT_CLIENTS, EVENT_CONNECT, EVENT_MESSAGE_BYTES, EVENT_PING, EVENT_PONG, EVENTS,
};

type Socket = WebSocketStream<DuplexStream>;

async fn socket(plane: &Plane) -> Result<Socket, Error> {
    let stream = plane.connect().await;
    let url = "ws://localhost/api/socket.io/?EIO=4&transport=websocket";
    let (socket, _) = tokio_tungstenite::client_async(url, stream).await?;
    Ok(socket)
}

/// Connects with a key.
async fn connected(plane: &Plane) -> Socket {
    let mut socket = socket(plane).await.unwrap();
    let opened = next(&mut socket).await.unwrap();
    let opened: Value = serde_json::from_str(opened.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(opened["pingInterval"], 25_000);
    assert_eq!(opened["upgrades"], json!([]));
    send(&mut socket, format!("40{}", json!({"token": KEY}))).await;
    assert!(next(&mut socket).await.unwrap().starts_with("40{\"sid\":"));
    socket
}

async fn send(socket: &mut Socket, text: impl Into<String>) {
    socket.send(Message::text(text.into())).await.unwrap();
}

/// Returns the next text, or `None` at the end.
async fn next(socket: &mut Socket) -> Option<String> {
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => return Some(text.to_string()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// Returns the name, the state and the id of the next event.
async fn event(socket: &mut Socket) -> (String, Value, Value) {
    loop {
        let text = next(socket).await.unwrap();
        if text == "2" {
            send(socket, "3").await;
            continue;
        }
        let event: Value = serde_json::from_str(text.strip_prefix("42").unwrap()).unwrap();
        let name = event[0].as_str().unwrap().to_owned();
        let carried = match name.as_str() {
            "sandbox.created" => &event[1],
            _ => &event[1]["sandbox"],
        };
        assert_eq!(carried["toolboxProxyUrl"], "http://localhost/toolbox");
        return (name, carried["state"].clone(), carried["id"].clone());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_sees_the_life_of_a_sandbox() {
    let plane = Plane::new();
    let mut socket = connected(&plane).await;
    plane.create(|_| {}).await;
    let sandbox = plane.shared.find("s0").await.unwrap();
    let stopped = plane.shared.stop(sandbox, Stop::Terminate).await.unwrap();
    let started = plane.shared.start(stopped).await.unwrap();
    plane
        .shared
        .change(started.id.clone(), Change::default())
        .await
        .unwrap();
    plane.shared.delete(started).await.unwrap();
    let updated = "sandbox.state.updated";
    for (name, state) in [
        ("sandbox.created", "started"),
        (updated, "stopping"),
        (updated, "stopped"),
        (updated, "starting"),
        (updated, "started"),
        (updated, "destroying"),
        (updated, "destroyed"),
    ] {
        let expect = (name.to_owned(), json!(state), json!("s0"));
        assert_eq!(event(&mut socket).await, expect);
    }
    send(&mut socket, "41").await;
    assert_eq!(next(&mut socket).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_client_without_the_key_sees_nothing() {
    let plane = Plane::new();
    for presented in ["40{\"token\":\"wrong\"}", "40{}", "40{\"token\":5}"] {
        let mut socket = socket(&plane).await.unwrap();
        assert!(next(&mut socket).await.unwrap().starts_with('0'));
        send(&mut socket, presented).await;
        let refused = next(&mut socket).await.unwrap();
        assert!(refused.starts_with("44{\"message\":"), "{refused}");
        assert_eq!(next(&mut socket).await, None);
    }
    for presented in ["40", "42[\"x\"]", "40/other,{}", "hello"] {
        let mut socket = socket(&plane).await.unwrap();
        next(&mut socket).await.unwrap();
        send(&mut socket, presented).await;
        assert_eq!(next(&mut socket).await, None, "{presented}");
    }
    let (status, text) = plane.get("/api/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(status, 400, "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_presents_no_key_is_not_waited_for() {
    let plane = Plane::new();
    let begin = Instant::now();
    let mut socket = socket(&plane).await.unwrap();
    next(&mut socket).await.unwrap();
    assert_eq!(next(&mut socket).await, None);
    assert_eq!(begin.elapsed().as_secs(), EVENT_CONNECT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_client_is_pinged_and_disconnected_if_it_does_not_respond() {
    let plane = Plane::new();
    let mut socket = connected(&plane).await;
    let begin = Instant::now();
    for number in 1..=5 {
        assert_eq!(next(&mut socket).await.as_deref(), Some("2"));
        assert_eq!(begin.elapsed().as_secs(), number * EVENT_PING.as_secs());
        send(&mut socket, "3").await;
    }
    assert_eq!(next(&mut socket).await.as_deref(), Some("2"));
    assert_eq!(next(&mut socket).await, None);
    assert!(begin.elapsed() <= 8 * EVENT_PING);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_disconnected() {
    let plane = Plane::new();
    let mut socket = connected(&plane).await;
    plane.create(|_| {}).await;
    let sandbox = plane.shared.find("s0").await.unwrap();
    // More than the stream and the queue have room for.
    for _ in 0..4 * EVENTS {
        plane.shared.events.publish(Event::Created(sandbox.clone()));
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(2 * EVENT_PONG).await;
    let mut seen = 0;
    while next(&mut socket).await.is_some() {
        seen += 1;
    }
    assert!(seen > 0 && seen < 4 * EVENTS, "{seen}");
}

#[tokio::test(start_paused = true)]
async fn long_messages_and_too_many_clients_are_refused() {
    let plane = Plane::new();
    let mut socket = connected(&plane).await;
    send(
        &mut socket,
        format!("42{}", "x".repeat(EVENT_MESSAGE_BYTES)),
    )
    .await;
    assert_eq!(next(&mut socket).await, None);

    let places: Vec<_> = std::iter::from_fn(|| plane.shared.events.enter()).collect();
    assert!(places.len() >= EVENT_CLIENTS - 1, "{}", places.len());
    let mut socket = self::socket(&plane).await.unwrap();
    next(&mut socket).await.unwrap();
    send(&mut socket, format!("40{}", json!({"token": KEY}))).await;
    let refused = next(&mut socket).await.unwrap();
    assert!(
        refused.starts_with("44") && refused.contains("too many"),
        "{refused}"
    );
    assert_eq!(next(&mut socket).await, None);
    drop(places);
    tokio::time::sleep(Duration::from_secs(1)).await;
    connected(&plane).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_without_the_key_takes_no_place() {
    let plane = Plane::new();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let mut socket = socket(&plane).await.unwrap();
        next(&mut socket).await.unwrap();
        waiting.push(socket);
    }
    let places: Vec<_> = std::iter::from_fn(|| plane.shared.events.enter()).collect();
    assert_eq!(places.len(), EVENT_CLIENTS);
}

#[tokio::test(start_paused = true)]
async fn a_client_without_the_key_makes_room_for_another_connection() {
    let plane = Plane::new();
    let begin = Instant::now();
    let mut waiting = socket(&plane).await.unwrap();
    next(&mut waiting).await.unwrap();
    plane.evict();
    assert_eq!(next(&mut waiting).await, None);
    assert!(begin.elapsed() < EVENT_CONNECT);
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_ends_by_itself_is_an_event() {
    let plane = Plane::new();
    tokio::spawn(crate::automatic::follow(plane.shared.clone()));
    let mut socket = connected(&plane).await;
    let id = plane.create(|_| {}).await;
    assert_eq!(event(&mut socket).await.0, "sandbox.created");
    plane.memory.end(&id);
    let expect = (
        "sandbox.state.updated".to_owned(),
        json!("error"),
        json!("s0"),
    );
    assert_eq!(event(&mut socket).await, expect);
}
