//! Connections of clients that have no token, however many.

use std::time::Duration;

use sandbox_daemon::Listen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Stream, TestServer, token};

/// A server with few slots and little time for a first request.
async fn small(connections: usize, first_request: Duration) -> TestServer {
    let listen = "127.0.0.1:0".parse().unwrap();
    let directory = tempfile::tempdir().unwrap();
    TestServer::start_with(listen, token(), directory, |config| {
        config.connections = connections;
        config.first_request = first_request;
    })
    .await
}

async fn connect(server: &TestServer) -> TcpStream {
    let Listen::Tcp(address) = &server.address else {
        panic!("not TCP");
    };
    TcpStream::connect(address).await.unwrap()
}

/// What a client of HTTP/2 begins with: the preface, and no settings.
const H2_BEGIN: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Reads until the server closes the connection, and replies to the pings of HTTP/2 meanwhile.
async fn wait_for_the_end(mut stream: Box<dyn Stream>, answers_pings: bool) {
    let mut bytes = Vec::new();
    loop {
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        while answers_pings && bytes.len() >= 9 {
            let length = usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
            if bytes.len() < 9 + length {
                break;
            }
            let mut frame: Vec<_> = bytes.drain(..9 + length).collect();
            let (kind, flags) = (frame[3], &mut frame[4]);
            if kind == 6 && *flags == 0 {
                *flags = 1;
                // The server may have closed already, which the next read shows.
                let _ = stream.write_all(&frame).await;
            }
        }
    }
}

const VERSION: &[u8] = b"GET /version HTTP/1.1\r\nHost: x\r\nX-Sandbox-Token: s3cret\r\n\r\n";

/// Sends a request on a connection that goes on, and returns the status line of the response.
async fn ask(stream: &mut (impl Stream + ?Sized), request: &[u8]) -> std::io::Result<String> {
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    let count = |answer: &[u8], brace| answer.iter().filter(|byte| **byte == brace).count();
    // The body is one object, whose fields may be objects.
    while !answer.ends_with(b"}") || count(&answer, b'{') != count(&answer, b'}') {
        answer.push(stream.read_u8().await?);
    }
    let text = String::from_utf8(answer).unwrap();
    Ok(text.lines().next().unwrap().to_owned())
}

#[tokio::test]
async fn a_connection_without_a_request_that_is_let_in_is_closed() {
    let first_request = Duration::from_millis(300);
    let server = small(64, first_request).await;
    let mut admitted = connect(&server).await;
    ask(&mut admitted, VERSION).await.unwrap();
    let begun: [(&[u8], bool); 5] = [
        (b"", false),
        (b"GET /version HTTP/1.1\r\nHost: x\r\nX-Long: ", false),
        (b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n", false),
        (H2_BEGIN, false),
        (H2_BEGIN, true),
    ];
    for (begun, answers_pings) in begun {
        let mut stream = connect(&server).await;
        stream.write_all(begun).await.unwrap();
        wait_for_the_end(Box::new(stream), answers_pings).await;
    }
    // The open route lets everybody ask, and keeps no connection.
    let mut stream = connect(&server).await;
    let health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(ask(&mut stream, health).await.unwrap(), "HTTP/1.1 200 OK");
    while ask(&mut stream, health).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // One that was let in stays, also when it is idle.
    assert_eq!(
        ask(&mut admitted, VERSION).await.unwrap(),
        "HTTP/1.1 200 OK"
    );
    server.end().await;

    #[cfg(feature = "tls")]
    {
        let (server, _) = crate::tls::server(|config| config.first_request = first_request).await;
        for begun in [&b""[..], b"\x16\x03\x01\x02\0"] {
            let mut stream = connect(&server).await;
            stream.write_all(begun).await.unwrap();
            wait_for_the_end(Box::new(stream), false).await;
        }
        server.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_the_token_keep_no_client_out() {
    let server = small(64, Duration::from_secs(600)).await;
    let mut admitted = connect(&server).await;
    ask(&mut admitted, VERSION).await.unwrap();
    // More than there are slots, and than may be accepted without a request that is let in.
    let mut held = Vec::new();
    for n in 0..200 {
        let mut stream = connect(&server).await;
        let begun = if n % 2 == 0 { H2_BEGIN } else { b"GET / HT" };
        // An older one of them is closed for it, maybe this one by the next.
        let _ = stream.write_all(begun).await;
        held.push(stream);
    }
    let answer = server.get("/version", &[("X-Sandbox-Token", "s3cret")]);
    assert_eq!(answer.await.status, 200);
    for stream in held.drain(..100) {
        wait_for_the_end(Box::new(stream), false).await;
    }
    assert_eq!(
        ask(&mut admitted, VERSION).await.unwrap(),
        "HTTP/1.1 200 OK"
    );
    drop(held);
    server.end().await;
}

/// While others come faster than they can be counted, a client that sends its request with its
/// connection is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_connections_keeps_no_client_out() {
    let server = small(4096, Duration::from_secs(600)).await;
    let Listen::Tcp(address) = server.address else {
        panic!("not TCP");
    };
    let flood: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn(async move {
                let mut held = std::collections::VecDeque::new();
                loop {
                    if let Ok(stream) = TcpStream::connect(address).await {
                        held.push_back(stream);
                    }
                    // As many descriptors as a test may have.
                    if held.len() > 200 {
                        held.pop_front();
                    }
                }
            })
        })
        .collect();
    for _ in 0..50 {
        let mut stream = connect(&server).await;
        let answer = ask(&mut stream, VERSION).await;
        assert_eq!(answer.unwrap(), "HTTP/1.1 200 OK");
    }
    for task in flood {
        task.abort();
    }
    server.end().await;
}
