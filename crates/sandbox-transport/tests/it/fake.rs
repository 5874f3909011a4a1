//! Servers that do exactly what a test specifies.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use sandbox_transport::{Delivery, Error, ErrorKind, HttpTransport, NoRetries};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

/// A server whose every connection follows the next script; the last script is repeated.
pub(crate) struct Fake {
    pub(crate) address: std::net::SocketAddr,
    /// The requests as they came, heads and bodies.
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
    task: tokio::task::JoinHandle<()>,
}

/// What a connection does with each request that comes on it.
#[derive(Debug, Clone)]
pub(crate) enum Script {
    /// Writes these bytes and waits for the next request.
    Answer(Vec<u8>),
    /// Writes these bytes, and closes on the next request.
    AnswerOnce(Vec<u8>),
    /// Writes these bytes and closes.
    Cut(Vec<u8>),
    /// Reads this many bytes of the connection and closes it.
    ReadThenClose(usize),
    /// Reads, and never responds.
    Silence,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn line(&self) -> &str {
        let line = self.head.lines().next().unwrap_or_default();
        line.strip_suffix(" HTTP/1.1").unwrap_or(line)
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    pub(crate) async fn start(scripts: impl IntoIterator<Item = Script>) -> Self {
        let mut scripts: VecDeque<_> = scripts.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let script = match scripts.len() {
                    1 => scripts[0].clone(),
                    _ => scripts.pop_front().unwrap(),
                };
                tokio::spawn(play(stream, script, seen.clone()));
            }
        });
        Self {
            address,
            requests,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client that repeats nothing.
    pub(crate) fn client(&self) -> HttpTransport {
        let builder = HttpTransport::builder(self.url().parse().unwrap());
        builder.retry(NoRetries).build_http().unwrap()
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub(crate) fn request(&self, index: usize) -> Request {
        self.requests.lock().unwrap()[index].clone()
    }
}

async fn play(mut stream: TcpStream, script: Script, seen: Arc<Mutex<Vec<Request>>>) {
    if let Script::ReadThenClose(count) = script {
        let mut bytes = vec![0; count];
        let _ = stream.read_exact(&mut bytes).await;
        return;
    }
    let mut answered = 0;
    while let Some(request) = read_request(&mut stream).await {
        seen.lock().unwrap().push(request);
        answered += 1;
        match &script {
            Script::AnswerOnce(_) if answered > 1 => return,
            Script::AnswerOnce(bytes) => stream.write_all(bytes).await.unwrap(),
            Script::Answer(bytes) => stream.write_all(bytes).await.unwrap(),
            Script::Cut(bytes) => {
                // The client may have disconnected at the first bytes that it did not understand.
                let _ = stream.write_all(&closing(bytes)).await;
                return;
            }
            Script::Silence => {}
            Script::ReadThenClose(_) => unreachable!(),
        }
    }
}

/// Adds to a whole head that the connection closes, since a client may send its next request before it sees the end.
fn closing(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    match end {
        // What is not HTTP any longer closes in its own way.
        Some(end) if !bytes.starts_with(b"HTTP/1.1 101") => {
            [&bytes[..end], b"\r\nConnection: close", &bytes[end..]].concat()
        }
        _ => bytes.to_vec(),
    }
}

/// Reads one request; `None` if there is none any more.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut request = Request {
        head: String::from_utf8(head).unwrap(),
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}

/// A response's bytes.
pub(crate) fn answer(status: u16, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let mut answer = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {length}\r\n");
    if !content_type.is_empty() {
        write!(answer, "Content-Type: {content_type}\r\n").unwrap();
    }
    format!("{answer}\r\n{body}").into_bytes()
}

pub(crate) fn json(body: &str) -> Vec<u8> {
    answer(200, "application/json; charset=utf-8", body)
}

/// What stock daemons say of a route that they have not.
pub(crate) fn no_such_route() -> Vec<u8> {
    answer(404, "text/plain", "404 page not found")
}

pub(crate) type Web<S = TcpStream> = WebSocketStream<S>;

/// Responds to a request for a WebSocket.
pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    request: &Request,
    protocol: Option<&str>,
) -> Web<S> {
    let key = request.header("sec-websocket-key").unwrap();
    let accept = derive_accept_key(key.as_bytes());
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
    );
    if let Some(protocol) = protocol {
        write!(answer, "Sec-WebSocket-Protocol: {protocol}\r\n").unwrap();
    }
    answer.push_str("\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    WebSocketStream::from_raw_socket(stream, Role::Server, None).await
}

/// Closes, and waits for the client to do so too.
pub(crate) async fn close(web: &mut Web, code: u16, reason: &str) {
    let frame = CloseFrame {
        code: code.into(),
        reason: reason.to_owned().into(),
    };
    web.send(Message::Close(Some(frame))).await.unwrap();
    while let Some(Ok(_)) = web.next().await {}
}

/// A server that gives each connection with its first request to the test.
pub(crate) struct Manual {
    pub(crate) url: String,
    connections: mpsc::Receiver<(TcpStream, Request)>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Manual {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Manual {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (to, connections) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                if let Some(request) = read_request(&mut stream).await {
                    let _ = to.send((stream, request)).await;
                }
            }
        });
        Self {
            url,
            connections,
            task,
        }
    }

    pub(crate) fn client(&self) -> HttpTransport {
        let builder = HttpTransport::builder(self.url.parse().unwrap());
        builder.retry(NoRetries).build_http().unwrap()
    }

    pub(crate) async fn next(&mut self) -> (TcpStream, Request) {
        self.connections.recv().await.unwrap()
    }

    /// Responds to the next request so.
    pub(crate) async fn answer(&mut self, bytes: &[u8]) -> Request {
        let (mut stream, request) = self.next().await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        request
    }

    /// Makes a WebSocket of the next connection.
    pub(crate) async fn accept(&mut self, protocol: Option<&str>) -> (Web, Request) {
        let (stream, request) = self.next().await;
        (accept(stream, &request, protocol).await, request)
    }
}

pub(crate) fn kinds(error: &Error) -> (ErrorKind, Delivery) {
    (error.kind(), error.delivery())
}
