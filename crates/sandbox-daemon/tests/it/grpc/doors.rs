//! Which clients are admitted, what they find, and what a client cannot break.

use std::time::Duration;

use sandbox_daemon::Access;
use sandbox_daemon::limits::{H2_HEADER_BYTES, REQUEST_BODY_BYTES, REQUEST_HEAD_BYTES};
use sandbox_wire::pb::code_service_client::CodeServiceClient;
use sandbox_wire::pb::exec_request::Message;
use sandbox_wire::pb::exec_start::Program;
use sandbox_wire::pb::{ExecRequest, ExecStart, GetInfoRequest, RunCodeRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use super::{Channel, open, refusal};
use crate::client::{TestServer, token};

#[tokio::test]
async fn calls_need_the_token_and_health_does_not() {
    let server = TestServer::tcp(token()).await;
    let mut channel = Channel::to(&server).await;
    let health = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    for wrong in [None, Some("other")] {
        channel.token = wrong;
        let status = channel
            .info()
            .get_info(GetInfoRequest::default())
            .await
            .unwrap_err();
        assert_eq!(refusal(&status), (16, "UNAUTHORIZED"));
        for refused in [new::ask(&channel).await, old::ask(&channel).await] {
            assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
        }
        let checked = HealthClient::new(channel.clone()).check(health("")).await;
        // SERVING
        assert_eq!(checked.unwrap().into_inner().status, 1);
    }
    let unknown = HealthClient::new(channel.clone()).check(health("x")).await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
    channel.token = Some("s3cret");
    let info = channel
        .info()
        .get_info(GetInfoRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(info.version.starts_with('v'));
    assert!(
        info.interpreter_languages
            .contains(&"javascript".to_owned())
    );
    // The id of a sandbox in front, as proxies have it.
    channel.prefix = "/sandbox-id";
    let other = channel
        .info()
        .get_info(GetInfoRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(other.instance_id, info.instance_id);
    server.end().await;
}

/// A client of one version of the reflection service; the two have the same messages.
macro_rules! reflection {
    ($name:ident, $version:ident) => {
        mod $name {
            use super::super::{Channel, open};
            use super::$version::server_reflection_client::ServerReflectionClient;
            use super::$version::server_reflection_request::MessageRequest;
            use super::$version::server_reflection_response::MessageResponse;
            use super::$version::{ServerReflectionRequest, ServerReflectionResponse};

            /// The services that are listed, and the files with the service `ExecService`.
            pub(super) async fn ask(
                channel: &Channel,
            ) -> Result<(Vec<String>, Vec<Vec<u8>>), tonic::Status> {
                let request = |message| ServerReflectionRequest {
                    message_request: Some(message),
                    ..ServerReflectionRequest::default()
                };
                let symbol = "sandbox.process.v1.ExecService".to_owned();
                let (requests, stream) = open([
                    request(MessageRequest::ListServices(String::new())),
                    request(MessageRequest::FileContainingSymbol(symbol)),
                ]);
                drop(requests);
                let mut client = ServerReflectionClient::new(channel.clone());
                let mut answers = client.server_reflection_info(stream).await?.into_inner();
                let mut next = async || {
                    let answer: ServerReflectionResponse = answers.message().await?.unwrap();
                    Ok::<_, tonic::Status>(answer.message_response.unwrap())
                };
                let MessageResponse::ListServicesResponse(listed) = next().await? else {
                    panic!("no list");
                };
                let MessageResponse::FileDescriptorResponse(files) = next().await? else {
                    panic!("no file");
                };
                let names = listed.service.into_iter().map(|service| service.name);
                Ok((names.collect(), files.file_descriptor_proto))
            }
        }
    };
}

reflection!(new, v1);
reflection!(old, v1alpha);

/// grpcurl, Postman and `grpcio-reflection` still speak the older version.
#[tokio::test]
async fn clients_learn_the_services_by_reflection_of_both_versions() {
    let server = TestServer::unix(Access::Open).await;
    let channel = Channel::to(&server).await;
    let (names, files) = new::ask(&channel).await.unwrap();
    for name in [
        "Code",
        "Exec",
        "Files",
        "Info",
        "Interpreter",
        "Pty",
        "Session",
    ] {
        let name = format!("sandbox.process.v1.{name}Service");
        assert!(names.contains(&name), "{names:?}");
    }
    for name in [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    assert!(!files.is_empty());
    assert_eq!(old::ask(&channel).await.unwrap(), (names, files));
    server.end().await;
}

#[tokio::test]
async fn http_and_grpc_share_the_port() {
    let server = TestServer::tcp(Access::Open).await;
    let answer = server.execute(br#"{"command": "echo http"}"#).await;
    assert_eq!(answer.json()["result"], "http\n");
    let channel = Channel::to(&server).await;
    channel
        .info()
        .get_info(GetInfoRequest::default())
        .await
        .unwrap();
    // A request of HTTP on a connection of HTTP/2 is one of HTTP.
    let request = http::Request::get("http://localhost/version").body(tonic::body::Body::empty());
    let mut sender = channel.sender.clone();
    let response = sender.send_request(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let unknown = http::Request::post("http://localhost/sandbox.process.v1.ExecService/Nothing")
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::empty());
    let response = sender.send_request(unknown.unwrap()).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "12");
    server.end().await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_the_connection_goes_on() {
    let server = TestServer::unix(Access::Open).await;
    let channel = Channel::to(&server).await;
    let program = Program::Command(format!("# {}", "x".repeat(REQUEST_BODY_BYTES)));
    let start = ExecStart {
        program: Some(program),
        ..ExecStart::default()
    };
    let (_requests, stream) = open([ExecRequest {
        message: Some(Message::Start(start)),
    }]);
    let status = channel.exec().exec(stream).await.unwrap_err();
    assert!(
        matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted),
        "{status:?}"
    );
    channel
        .info()
        .get_info(GetInfoRequest::default())
        .await
        .unwrap();

    for length in [REQUEST_HEAD_BYTES, H2_HEADER_BYTES as usize] {
        let mut request = Request::new(GetInfoRequest::default());
        let header = "x".repeat(length);
        request
            .metadata_mut()
            .insert("x-long", header.parse().unwrap());
        let status = channel.info().get_info(request).await.unwrap_err();
        match length {
            REQUEST_HEAD_BYTES => {
                let expect = (8, "REQUEST_HEADER_FIELDS_TOO_LARGE");
                assert_eq!(refusal(&status), expect);
            }
            _ => assert!(!matches!(status.code(), Code::Ok), "{status:?}"),
        }
    }
    channel
        .info()
        .get_info(GetInfoRequest::default())
        .await
        .unwrap();

    let mut request = Request::new(GetInfoRequest::default());
    request
        .metadata_mut()
        .insert("grpc-timeout", "soon".parse().unwrap());
    let status = channel.info().get_info(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let request = RunCodeRequest {
        code: "1".to_owned(),
        language: "cobol".to_owned(),
        ..RunCodeRequest::default()
    };
    let status = CodeServiceClient::new(channel.clone())
        .run_code(request)
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), (3, "BAD_REQUEST"));
    server.end().await;
}

#[tokio::test]
async fn garbage_ends_its_connection_alone() {
    let server = TestServer::unix(Access::Open).await;
    let channel = Channel::to(&server).await;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // A frame of 16 MiB; one of no known kind on stream 0; data for a stream that is not open; a header block that is none.
    let bad: [&[u8]; 5] = [
        &[0xff; 64],
        &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1],
        &[0, 0, 4, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4],
        &[0, 0, 4, 1, 4, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 1, 4, 0, 0, 0, 0],
    ];
    for frame in bad {
        let mut stream = server.connect().await;
        let hello = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], frame].concat();
        // The server may be quicker to close.
        let _ = stream.write_all(&hello).await;
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
        read.expect("the connection is closed").ok();
        channel
            .info()
            .get_info(GetInfoRequest::default())
            .await
            .unwrap();
    }
    // A message whose length is a lie, and one that is no message.
    for body in [
        &b"\0\xff\xff\xff\xff"[..],
        b"\0\0\0\0\x04\xff\xff\xff\xff",
        b"\x07\0\0\0\0",
        b"\0\0",
    ] {
        let body = http_body_util::Full::new(bytes::Bytes::copy_from_slice(body));
        let request =
            http::Request::post("http://localhost/sandbox.process.v1.InfoService/GetInfo")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(tonic::body::Body::new(body));
        let mut sender = channel.sender.clone();
        let response = sender.send_request(request.unwrap()).await.unwrap();
        let status = match response.headers().get("grpc-status") {
            Some(status) => status.clone(),
            None => {
                use http_body_util::BodyExt as _;
                let trailers = response.into_body().collect().await.unwrap();
                trailers.trailers().unwrap()["grpc-status"].clone()
            }
        };
        assert_ne!(status, "0");
        channel
            .info()
            .get_info(GetInfoRequest::default())
            .await
            .unwrap();
    }
    server.end().await;
}
