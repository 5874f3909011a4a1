//! What calls over gRPC cost.

use sandbox_daemon::limits::{GRPC_CHUNK_BYTES, LOG_BYTES};
use sandbox_wire::pb::code_service_client::CodeServiceClient;
use sandbox_wire::pb::run_code_response::Event;
use sandbox_wire::pb::{self, RunCodeRequest, RunOptions};
use serde_json::json;

use super::Daemon;
use crate::grpc::Channel;

/// Of a program's output; both ends of what is longer than a response has are there, in order.
#[tokio::test]
async fn a_call_of_64_mib_is_never_in_memory_whole() {
    const OUTPUT: u64 = 96 << 20;
    let daemon = Daemon::start();
    let stream = tokio::net::TcpStream::connect(&daemon.address).await;
    let channel = Channel::over(Box::new(stream.unwrap())).await;
    let request = RunCodeRequest {
        code: format!("printf begin; head -c {OUTPUT} /dev/zero; printf end; printf err >&2"),
        language: "bash".to_owned(),
        ..RunCodeRequest::default()
    };
    let mut client = CodeServiceClient::new(channel);
    let mut events = client.run_code(request).await.unwrap().into_inner();
    let (mut next, mut held, mut missing) = (0, 0, 0);
    let (mut first, mut last, mut end) = (Vec::new(), Vec::new(), None);
    while let Some(response) = events.message().await.unwrap() {
        match response.event.unwrap() {
            Event::Output(chunk) => {
                assert_eq!(chunk.offset, next);
                assert!((1..=GRPC_CHUNK_BYTES).contains(&chunk.data.len()));
                next += chunk.data.len() as u64;
                held += chunk.data.len() as u64;
                first.extend_from_slice(&chunk.data[..chunk.data.len().min(5 - first.len())]);
                last.push(chunk);
                last.drain(..last.len().saturating_sub(3));
            }
            Event::Gap(gap) => {
                assert_eq!(gap.offset, next);
                next += gap.length;
                missing += gap.length;
            }
            Event::Ended(ended) => end = Some(ended.end_offset),
            Event::Started(_) | Event::Chart(_) => {}
        }
    }
    assert_eq!((next, end), (OUTPUT + 11, Some(OUTPUT + 11)));
    assert!(
        (LOG_BYTES - (256 << 10)..=LOG_BYTES).contains(&held),
        "{held}"
    );
    assert_eq!(held + missing, next);
    assert_eq!(first, b"begin");
    let of = |channel: pb::Channel| -> Vec<u8> {
        let chunks = last.iter().filter(|chunk| chunk.channel() == channel);
        chunks.flat_map(|chunk| chunk.data.clone()).collect()
    };
    assert!(of(pb::Channel::Stdout).ends_with(b"\0end"));
    assert_eq!(of(pb::Channel::Stderr), b"err");
    let peak = daemon.peak();
    assert!(peak < 200, "{peak} MiB at the most");
}

/// A message with more variables than a request may have is refused before it is decoded.
#[tokio::test]
async fn messages_cost_what_they_carry() {
    let daemon = Daemon::start();
    daemon.post("/process/execute", &json!({ "command": "true" }));
    let stream = tokio::net::TcpStream::connect(&daemon.address).await;
    let channel = Channel::over(Box::new(stream.unwrap())).await;
    let mut client = CodeServiceClient::new(channel);
    let run = |count: usize| RunCodeRequest {
        code: "echo $V7".to_owned(),
        language: "bash".to_owned(),
        options: Some(RunOptions {
            envs: (0..count)
                .map(|n| (format!("V{n}"), n.to_string()))
                .collect(),
            ..RunOptions::default()
        }),
        ..RunCodeRequest::default()
    };
    let mut events = client.run_code(run(1000)).await.unwrap().into_inner();
    let mut output = Vec::new();
    while let Some(response) = events.message().await.unwrap() {
        if let Some(Event::Output(chunk)) = response.event {
            output.extend_from_slice(&chunk.data);
        }
    }
    assert_eq!(output, b"7\n");
    let idle = daemon.peak();
    let refused = client.run_code(run(400_000)).await.unwrap_err();
    let code = tonic::Code::ResourceExhausted;
    assert_eq!(refused.code(), code, "{refused:?}");
    assert_eq!(refused.message(), "the request has more than 65536 values");
    let peak = daemon.peak();
    assert!(peak < idle + 24, "{idle} MiB before, {peak} at the most");
}
