//! Tests of the bounds of a connection, by the clock of the timers.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::fake::{KEY, Plane};
use crate::limits::{BODY, DIAL, REFUSED_BODY, REFUSED_BODY_BYTES, STREAM_WINDOW, STREAMS};

/// A body that has so many pieces of 64 KiB, counts those that were taken, and never ends if the number is not reached.
struct Pieces {
    left: usize,
    ends: bool,
    taken: Arc<AtomicUsize>,
}

const PIECE: usize = 64 * 1024;

impl Pieces {
    fn new(left: usize, ends: bool) -> (Self, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let body = Self {
            left,
            ends,
            taken: Arc::clone(&taken),
        };
        (body, taken)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return if self.ends {
                Poll::Ready(None)
            } else {
                Poll::Pending
            };
        }
        self.left -= 1;
        self.taken.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; PIECE])))))
    }
}

fn post<B>(path: &str, body: B) -> Request<B> {
    Request::post(path)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {KEY}"))
        .body(body)
        .unwrap()
}

/// Sends a request whose body does not come. Returns the status of the response, and when it came.
async fn response_without_a_body(path: &str) -> (u16, Duration) {
    let plane = Plane::new();
    let begin = Instant::now();
    let (body, _) = Pieces::new(1, false);
    let mut client = plane.client().await;
    let response = client.send_request(post(path, body)).await;
    (response.unwrap().status().as_u16(), begin.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let (status, elapsed) = response_without_a_body("/api/sandbox").await;
    assert_eq!(status, 408);
    // It is waited for a second time, to be discarded.
    assert!(
        elapsed >= BODY && elapsed <= BODY + 2 * REFUSED_BODY,
        "{elapsed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_body_is_read_up_to_a_bound() {
    let (status, elapsed) = response_without_a_body("/api/volumes").await;
    assert_eq!(status, 501);
    assert_eq!(elapsed.as_secs(), REFUSED_BODY.as_secs());

    let plane = Plane::new();

    let (body, taken) = Pieces::new(10 * REFUSED_BODY_BYTES / PIECE, true);
    let response = plane
        .client()
        .await
        .send_request(post("/api/volumes", body))
        .await;
    // What is longer may be cut off before the response is read.
    if let Ok(response) = response {
        assert_eq!(response.status(), 501);
    }
    let taken = taken.load(Ordering::SeqCst) * PIECE;
    assert!(
        (REFUSED_BODY_BYTES..2 * REFUSED_BODY_BYTES).contains(&taken),
        "{taken}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_does_not_respond_is_not_waited_for() {
    let mut plane = Plane::new();
    let id = plane.create(|_| {}).await;
    plane.shared.previews.token(&id, 80);
    let begin = Instant::now();
    let get = plane.get("/preview/s0/80/");
    let (status, text) = get.await;
    assert_eq!(status, 503, "{text}");
    assert_eq!(begin.elapsed().as_secs(), DIAL.as_secs());
    drop(plane.dialed.recv().await);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_its_request() {
    let mut plane = Plane::new();
    plane.create(|_| {}).await;
    let mut client = plane.connect().await;
    let head = format!(
        "GET /toolbox/s0/version HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let mut sandbox = plane.dialed.recv().await.unwrap();
    let mut head = vec![0; 4096];
    let length = sandbox.read(&mut head).await.unwrap();
    let head = String::from_utf8_lossy(&head[..length]).to_lowercase();
    assert!(head.starts_with("get /version http/1.1\r\n"), "{head}");
    assert!(head.contains("host: localhost"), "{head}");
    // The key ends here.
    assert!(
        !head.contains("authorization") && !head.contains(KEY),
        "{head}"
    );
    drop(client);
    let rest = timeout(Duration::from_secs(1), sandbox.read_to_end(&mut Vec::new())).await;
    assert!(rest.is_ok(), "the sandbox still has its client");
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_does_not_read_holds_its_client() {
    let plane = Plane::new();
    plane.create(|_| {}).await;
    let stream = TokioIo::new(plane.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
    tokio::spawn(connection);
    let (body, taken) = Pieces::new(1024, true);
    let request = Request::post("http://localhost/toolbox/s0/files/upload-v2?path=x")
        .header("authorization", format!("Bearer {KEY}"))
        .body(body)
        .unwrap();
    let pending = tokio::spawn(sender.send_request(request));
    sleep(Duration::from_secs(1)).await;
    let taken = taken.load(Ordering::SeqCst) * PIECE;
    let most = usize::try_from(STREAM_WINDOW).unwrap() + 1024 * 1024;
    assert!(taken > 0 && taken <= most, "{taken}");
    pending.abort();
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_streams_of_a_connection_wait() {
    let plane = Plane::new();
    let stream = TokioIo::new(plane.connect().await);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let requests = (0..2 * STREAMS).map(|_| {
        let mut sender = sender.clone();
        let request = Request::get("http://localhost/healthz");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        tokio::spawn(async move { sender.send_request(request).await.unwrap().status() })
    });
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.unwrap(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_lets_pending_requests_end() {
    let mut plane = Plane::new();
    plane.create(|_| {}).await;
    let mut client = plane.client::<Empty<Bytes>>().await;
    let request = Request::get("/toolbox/s0/version")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {KEY}"))
        .body(Empty::new())
        .unwrap();
    let response = tokio::spawn(async move {
        let response = client.send_request(request).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    });
    let mut sandbox = plane.dialed.recv().await.unwrap();
    assert!(sandbox.read(&mut [0; 4096]).await.unwrap() > 0);
    plane.shut_down();
    sleep(Duration::from_secs(1)).await;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    sandbox.write_all(answer).await.unwrap();
    assert_eq!(response.await.unwrap(), "ok");
}
