//! Commands of sessions, by key.

use prost_types::Timestamp;
use sandbox_daemon::Access;
use sandbox_daemon::limits::RETAINED_KEYS;
use sandbox_wire::pb::execute_command_response::Event;
use sandbox_wire::pb::session_service_client::SessionServiceClient;
use sandbox_wire::pb::{
    CreateSessionRequest, DeleteSessionRequest, ExecuteCommandRequest, GetSessionRequest,
    StartCommandRequest, StartCommandResponse,
};
use serde_json::json;
use tonic::Code;

use super::{Channel, refusal};
use crate::client::TestServer;

fn keyed(key: usize) -> StartCommandRequest {
    StartCommandRequest {
        session_id: "s".to_owned(),
        command: ":".to_owned(),
        idempotency_key: format!("key {key}"),
        envs: [
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), "2".to_owned()),
        ]
        .into(),
        ..StartCommandRequest::default()
    }
}

async fn sessions(server: &TestServer) -> SessionServiceClient<Channel> {
    let mut client = SessionServiceClient::new(Channel::to(server).await);
    let session_id = "s".to_owned();
    client
        .create_session(CreateSessionRequest {
            session_id,
            ..CreateSessionRequest::default()
        })
        .await
        .unwrap();
    client
}

#[tokio::test]
async fn the_oldest_keys_are_forgotten() {
    let server = TestServer::unix(Access::Open).await;
    let mut client = sessions(&server).await;
    let mut start = async |key| -> StartCommandResponse {
        client.start_command(keyed(key)).await.unwrap().into_inner()
    };
    let first = start(0).await;
    assert!(!first.resumed);
    let again = start(0).await;
    assert!(again.resumed && again.command_id == first.command_id);
    for key in 1..RETAINED_KEYS {
        assert!(!start(key).await.resumed);
    }
    // The key is known still, while its command is forgotten: it is not run again.
    // Only commands that have ended are forgotten, and the last may run still.
    let status = loop {
        match client.start_command(keyed(0)).await {
            Ok(again) => assert!(again.into_inner().resumed),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    let mut start = async |key| -> StartCommandResponse {
        client.start_command(keyed(key)).await.unwrap().into_inner()
    };
    assert!(start(RETAINED_KEYS - 1).await.resumed);
    assert!(!start(RETAINED_KEYS).await.resumed);
    let forgotten = start(0).await;
    assert!(!forgotten.resumed && forgotten.command_id != first.command_id);
    server.end().await;
}

#[tokio::test]
async fn a_key_starts_one_command_over_both_protocols() {
    let server = TestServer::unix(Access::Open).await;
    let mut client = sessions(&server).await;
    let over_http = async |key: &str, text: &str| {
        let body = json!({ "command": text, "runAsync": true });
        let headers = [("Idempotency-Key", key)];
        server.post("/process/session/s/exec", &headers, body).await
    };
    let mut over_grpc = async |key: &str, text: &str| {
        let request = StartCommandRequest {
            session_id: "s".to_owned(),
            command: text.to_owned(),
            idempotency_key: key.to_owned(),
            ..StartCommandRequest::default()
        };
        let started = client.start_command(request).await?;
        Ok::<_, tonic::Status>(started.into_inner())
    };
    let first = over_http("a", "echo x").await.json();
    let again = over_grpc("a", "echo x").await.unwrap();
    assert!(again.resumed);
    assert_eq!(first["cmdId"], again.command_id);
    let other = over_grpc("a", "echo y").await.unwrap_err();
    assert_eq!(refusal(&other), (6, "CONFLICT"));

    let first = over_grpc("b", "echo x").await.unwrap();
    assert!(!first.resumed);
    let again = over_http("b", "echo x").await.json();
    assert_eq!(again["cmdId"], first.command_id);
    over_grpc("c", "echo x").await.unwrap();
    let other = over_http("c", "echo y").await;
    other.expect_error(409, "CONFLICT");
    server.end().await;
}

#[tokio::test]
async fn a_key_creates_one_session_over_both_protocols() {
    let server = TestServer::unix(Access::Open).await;
    let mut client = sessions(&server).await;
    let over_http = async |key: &str, id: &str| {
        let headers = [("Idempotency-Key", key)];
        let created = server.post("/process/session", &headers, json!({ "sessionId": id }));
        created.await.status
    };
    let mut over_grpc = async |key: &str, id: &str| {
        let request = CreateSessionRequest {
            session_id: id.to_owned(),
            idempotency_key: key.to_owned(),
            ..CreateSessionRequest::default()
        };
        client.create_session(request).await.map(|_| ())
    };
    assert_eq!(over_http("a", "one").await, 201);
    over_grpc("a", "one").await.unwrap();
    let other = over_grpc("a", "two").await.unwrap_err();
    assert_eq!(refusal(&other), (6, "CONFLICT"));
    over_grpc("b", "two").await.unwrap();
    assert_eq!(over_http("b", "two").await, 201);
    // Nor does it belong to another operation.
    let command = json!({ "command": "echo x", "runAsync": true });
    let headers = [("Idempotency-Key", "b")];
    let executed = server.post("/process/session/one/exec", &headers, command);
    executed.await.expect_error(409, "CONFLICT");
    let executed = json!({ "command": "echo x" });
    server
        .post("/process/execute", &[("Idempotency-Key", "x")], executed)
        .await
        .json();
    let other = over_grpc("x", "three").await.unwrap_err();
    assert_eq!(refusal(&other), (6, "CONFLICT"));
    // Without the key it is another request, whose id is taken.
    over_grpc("", "two").await.unwrap_err();
    // What was deleted is created again.
    let deleted = server
        .send("DELETE", "/process/session/two", &[], b"")
        .await;
    assert_eq!(deleted.status, 204);
    over_grpc("b", "two").await.unwrap();
    server.end().await;
}

/// A command that waits when its session is deleted never ran: that is reported as such, and never as an exit code.
#[tokio::test]
async fn what_waits_in_a_deleted_session_never_ran() {
    let server = TestServer::unix(Access::Open).await;
    let mut client = sessions(&server).await;
    let session_id = || "s".to_owned();
    let busy = StartCommandRequest {
        session_id: session_id(),
        command: "sleep 1000".to_owned(),
        ..StartCommandRequest::default()
    };
    client.start_command(busy).await.unwrap();
    let waits = ExecuteCommandRequest {
        session_id: session_id(),
        command: "echo never".to_owned(),
        ..ExecuteCommandRequest::default()
    };
    let mut events = client.execute_command(waits).await.unwrap().into_inner();
    client
        .delete_session(DeleteSessionRequest {
            session_id: session_id(),
        })
        .await
        .unwrap();
    let end = events.message().await.unwrap_err();
    assert_eq!(refusal(&end), (9, "SESSION_ENDED"), "{end:?}");
    server.end().await;
}

#[tokio::test]
async fn sessions_and_their_commands_have_their_times() {
    let server = TestServer::unix(Access::Open).await;
    let mut client = sessions(&server).await;
    let shell = ExecuteCommandRequest {
        session_id: "s".to_owned(),
        command: "echo $$".to_owned(),
        ..ExecuteCommandRequest::default()
    };
    let mut events = client.execute_command(shell).await.unwrap().into_inner();
    let mut pid = Vec::new();
    let mut turn = None;
    while let Some(response) = events.message().await.unwrap() {
        match response.event {
            Some(Event::Started(started)) => turn = started.started_at,
            Some(Event::Output(output)) => pid.extend_from_slice(&output.data),
            _ => {}
        }
    }
    for text in ["read line", "true"] {
        let request = StartCommandRequest {
            session_id: "s".to_owned(),
            command: text.to_owned(),
            ..StartCommandRequest::default()
        };
        client.start_command(request).await.unwrap();
    }
    let get = GetSessionRequest {
        session_id: "s".to_owned(),
    };
    let session = client.get_session(get).await.unwrap().into_inner();
    let session = session.session.unwrap();
    assert_eq!(format!("{}\n", session.pid).as_bytes(), pid);
    let time = |time: Option<Timestamp>| time.map(|time| (time.seconds, time.nanos));
    let created = time(session.created_at);
    assert!(created.is_some());
    let [done, runs, waits] = &session.commands[..] else {
        panic!("{session:?}");
    };
    let times = [
        created,
        time(done.created_at),
        time(done.started_at),
        time(done.ended_at),
        time(runs.created_at),
        time(waits.created_at),
    ];
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(time(turn), time(done.started_at));
    assert_eq!(time(runs.ended_at), None);
    assert_eq!((time(waits.started_at), time(waits.ended_at)), (None, None));
    server.end().await;
}
