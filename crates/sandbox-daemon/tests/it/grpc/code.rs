//! Programs, by key.

use sandbox_daemon::Access;
use sandbox_daemon::limits::REQUEST_KEY_BYTES;
use sandbox_wire::pb::code_service_client::CodeServiceClient;
use sandbox_wire::pb::run_code_response::Event;
use sandbox_wire::pb::{OutputMode, RunCodeRequest, RunOptions};
use serde_json::json;
use tonic::Status;

use super::{Channel, refusal};
use crate::client::{Answer, TestServer};
use crate::robust::eventually;

/// What a call reported.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    resumed: bool,
    output: String,
}

async fn over_grpc(channel: &Channel, key: &str, code: &str) -> Result<Ran, Status> {
    let request = RunCodeRequest {
        code: code.to_owned(),
        language: "bash".to_owned(),
        options: Some(RunOptions {
            idempotency_key: key.to_owned(),
            ..RunOptions::default()
        }),
        output_mode: OutputMode::Combined.into(),
        ..RunCodeRequest::default()
    };
    let mut client = CodeServiceClient::new(channel.clone());
    let mut events = client.run_code(request).await?.into_inner();
    let mut ran = Ran {
        resumed: false,
        output: String::new(),
    };
    while let Some(response) = events.message().await? {
        match response.event {
            Some(Event::Started(started)) => ran.resumed = started.resumed,
            Some(Event::Output(chunk)) => ran.output.push_str(str::from_utf8(&chunk.data).unwrap()),
            _ => {}
        }
    }
    Ok(ran)
}

async fn over_http(server: &TestServer, key: &str, code: &str) -> Answer {
    let body = json!({ "code": code, "language": "bash" });
    let headers = [("Idempotency-Key", key)];
    server.post("/process/code-run", &headers, body).await
}

fn first(output: &str) -> Ran {
    Ran {
        resumed: false,
        output: output.to_owned(),
    }
}

fn again(output: &str) -> Ran {
    Ran {
        resumed: true,
        ..first(output)
    }
}

#[tokio::test]
async fn a_key_runs_one_program_over_both_protocols() {
    let server = TestServer::unix(Access::Open).await;
    let channel = Channel::to(&server).await;
    let answer = over_http(&server, "a", "echo x >> a; cat a").await;
    assert_eq!(answer.json()["result"], "x\n");
    let ran = over_grpc(&channel, "a", "echo x >> a; cat a").await;
    assert_eq!(ran.unwrap(), again("x\n"));
    let other = over_grpc(&channel, "a", "true").await.unwrap_err();
    assert_eq!(refusal(&other), (6, "CONFLICT"));

    let ran = over_grpc(&channel, "b", "echo x >> b; cat b").await;
    assert_eq!(ran.unwrap(), first("x\n"));
    let answer = over_http(&server, "b", "echo x >> b; cat b").await;
    assert_eq!(answer.json()["result"], "x\n");
    let answer = over_http(&server, "c", "echo x >> b; cat b").await;
    assert_eq!(answer.json()["result"], "x\nx\n");
    over_grpc(&channel, "d", "true").await.unwrap();
    let other = over_http(&server, "d", "false").await;
    other.expect_error(409, "CONFLICT");

    let long = "k".repeat(REQUEST_KEY_BYTES + 1);
    let refused = over_grpc(&channel, &long, "true").await.unwrap_err();
    assert_eq!(refusal(&refused), (3, "BAD_REQUEST"));
    server.end().await;
}

#[tokio::test]
async fn a_call_that_is_cut_takes_no_run_along() {
    let server = TestServer::unix(Access::Open).await;
    let channel = Channel::to(&server).await;
    let code = "echo x >> c; until [ -e go ]; do sleep 0.01; done; cat c";
    let file = server.engine.work_dir().join("c");
    let has_begun = || std::fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n'));
    let cut = {
        let channel = channel.clone();
        tokio::spawn(async move { over_grpc(&channel, "k", code).await })
    };
    eventually(has_begun).await;
    cut.abort();
    assert!(cut.await.unwrap_err().is_cancelled());
    // Others wait for the same run, while it runs and after it.
    let channels = [&channel; 3];
    let calls = channels.map(|channel| over_grpc(channel, "k", code));
    let release = async {
        std::fs::write(server.engine.work_dir().join("go"), "").unwrap();
    };
    let (ran, ()) = tokio::join!(futures_util::future::join_all(calls), release);
    for ran in ran {
        assert_eq!(ran.unwrap(), again("x\n"));
    }
    let ran = over_grpc(&channel, "k", code).await;
    assert_eq!(ran.unwrap(), again("x\n"));
    server.end().await;
}
