//! A server that responds to every request with the same bytes, to measure clients.

use std::io::{Read, Write};
use std::net::TcpListener;

/// The response to a command without output.
const BODY: &str = r#"{"exitCode":0,"result":""}"#;

/// Starts the server on a thread that serves one connection after another. Returns its URL.
pub(crate) fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            std::thread::spawn(move || respond(stream));
        }
    });
    format!("http://{address}")
}

fn respond(mut stream: std::net::TcpStream) {
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    stream.set_nodelay(true).expect("a socket");
    let mut request = Vec::new();
    let mut block = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut block) {
        request.extend_from_slice(&block[..count]);
        if is_complete(&request) {
            request.clear();
            if stream.write_all(response.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// Returns whether a request has its head, and as many bytes of a body as that announces.
fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(Ok(0), |length| length.trim().parse());
    body.len() >= length.expect("a number")
}
