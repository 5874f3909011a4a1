//! Connections to ports of the sandbox.

use std::time::Instant;

use sandbox_daemon::Access;
use sandbox_daemon::limits::PORT_CONNECT;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::TestServer;

/// Asks for a tunnel to a port, and returns the connection and the head of the response.
async fn ask(server: &TestServer, port: &str, headers: &str) -> (TcpStream, String) {
    let sandbox_daemon::Listen::Tcp(address) = server.address else {
        panic!("a server on TCP");
    };
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /port/{port}/connect HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut stream).await;
    (stream, head)
}

async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

#[tokio::test]
async fn a_tunnel_carries_bytes_and_the_end_of_each_direction() {
    let server = TestServer::tcp(Access::Open).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (mut client, head) = ask(&server, &port, UPGRADE).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.to_lowercase().contains("upgrade: tcp"), "{head}");
    let (mut program, _) = listener.accept().await.unwrap();

    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut question = Vec::new();
    program.read_to_end(&mut question).await.unwrap();
    assert_eq!(question, b"question");
    let answer = vec![b'x'; 10 * 1024 * 1024];
    let write = async {
        program.write_all(&answer).await.unwrap();
        drop(program);
    };
    let mut read = Vec::new();
    let (_, length) = tokio::join!(write, client.read_to_end(&mut read));
    assert_eq!(length.unwrap(), answer.len());
    server.end().await;
}

#[tokio::test]
async fn a_tunnel_is_asked_for_by_its_name() {
    let server = TestServer::tcp(Access::Open).await;
    for (port, headers) in [
        ("80", ""),
        ("80", "Connection: Upgrade\r\nUpgrade: other\r\n"),
        ("0", UPGRADE),
        ("65536", UPGRADE),
        ("x", UPGRADE),
    ] {
        let (_, head) = ask(&server, port, headers).await;
        assert!(head.starts_with("HTTP/1.1 400"), "{port} {head}");
    }
    // It was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let (_, head) = ask(&server, &port, UPGRADE).await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    server.end().await;
}

#[tokio::test]
async fn a_port_that_accepts_nothing_is_not_waited_for() {
    let server = TestServer::tcp(Access::Open).await;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // The queue has room for one.
    let _first = TcpStream::connect(address).await.unwrap();
    let begin = Instant::now();
    let (_, head) = ask(&server, &address.port().to_string(), UPGRADE).await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(begin.elapsed() >= PORT_CONNECT);
    server.end().await;
}
