//! What transfers of files cost: the same, whatever the length of the file.

use std::fs::File;
use std::io::{Read, Write};

use super::Daemon;

/// More than any transfer takes, in MiB, and less than a small file of these tests.
const MOST: u64 = 24;

#[test]
fn a_transfer_costs_the_same_whatever_its_length() {
    transfer_over_http(128 << 20);
    #[cfg(feature = "grpc")]
    over_grpc::transfer(128 << 20);
}

#[test]
#[ignore = "sends and receives 4 GiB"]
fn a_file_of_4_gib_costs_the_same_over_http() {
    transfer_over_http(4 << 30);
}

#[cfg(feature = "grpc")]
#[test]
#[ignore = "sends and receives 4 GiB"]
fn a_file_of_4_gib_costs_the_same_over_grpc() {
    over_grpc::transfer(4 << 30);
}

/// Creates a file that takes no space on the disk.
fn sparse(daemon: &Daemon, length: u64) {
    let file = File::create(daemon.path("sparse")).unwrap();
    file.set_len(length).unwrap();
}

#[track_caller]
fn check(daemon: &Daemon, idle: u64, length: u64) {
    let copied = daemon.path("copy").metadata().unwrap();
    assert_eq!(copied.len(), length);
    let peak = daemon.peak();
    assert!(peak < idle + MOST, "{idle} MiB before, {peak} at the most");
}

fn transfer_over_http(length: u64) {
    let daemon = Daemon::start();
    sparse(&daemon, length);
    let idle = daemon.peak();
    let (status, received) = daemon.count("GET", "/files/download?path=sparse", b"");
    assert_eq!(status, 200);
    assert!((length..length + 1000).contains(&received), "{received}");
    let mut stream = std::net::TcpStream::connect(&daemon.address).unwrap();
    write!(
        stream,
        "POST /files/upload-v2?path=copy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    let mut source = File::open(daemon.path("sparse")).unwrap();
    std::io::copy(&mut source, &mut stream).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    check(&daemon, idle, length);
}

#[cfg(feature = "grpc")]
mod over_grpc {
    use bytes::Bytes;
    use futures_util::stream;
    use sandbox_daemon::limits::GRPC_CHUNK_BYTES;
    use sandbox_wire::pb::files_service_client::FilesServiceClient;
    use sandbox_wire::pb::{self, read_response, write_request};

    use super::{check, sparse};
    use crate::grpc::Channel;
    use crate::memory::Daemon;

    #[tokio::main(flavor = "current_thread")]
    pub(super) async fn transfer(length: u64) {
        let daemon = Daemon::start();
        sparse(&daemon, length);
        let idle = daemon.peak();
        let connected = tokio::net::TcpStream::connect(&daemon.address).await;
        let channel = Channel::over(Box::new(connected.unwrap())).await;
        let mut files = FilesServiceClient::new(channel);
        let request = pb::ReadRequest {
            path: Bytes::from_static(b"sparse"),
            ..pb::ReadRequest::default()
        };
        let mut events = files.read(request).await.unwrap().into_inner();
        let mut received = 0;
        while let Some(message) = events.message().await.unwrap() {
            if let Some(read_response::Event::Data(data)) = message.event {
                received += data.len() as u64;
            }
        }
        assert_eq!(received, length);
        let request = |message| pb::WriteRequest {
            message: Some(message),
        };
        let start = pb::WriteStart {
            path: Bytes::from_static(b"copy"),
            ..pb::WriteStart::default()
        };
        let start = request(write_request::Message::Start(start));
        let piece = Bytes::from(vec![0; GRPC_CHUNK_BYTES]);
        let count = usize::try_from(length).unwrap() / piece.len();
        let data = move |_| request(write_request::Message::Data(piece.clone()));
        let requests = std::iter::once(start).chain((0..count).map(data));
        files.write(stream::iter(requests)).await.unwrap();
        check(&daemon, idle, length);
    }
}
