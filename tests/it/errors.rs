//! What an operation says when there is no outcome.

use std::time::Duration;

use sandbox_process::transport::HttpTransport;
use sandbox_process::{Delivery, Error, ErrorKind, Language, Process};
use sandbox_tests::Sandbox;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

#[tokio::test]
async fn nothing_listens() {
    let process = Process::connect("http://127.0.0.1:1").unwrap();
    let error = process.exec("true").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Connect, Delivery::NotSent)
    );
    assert!(error.to_string().contains("http://127.0.0.1:1"), "{error}");

    let process = Process::connect("unix:/no/such/socket").unwrap();
    assert!(process.exec("true").await.unwrap_err().is_connect());
}

#[tokio::test]
async fn urls_and_tokens_that_cannot_be_used() {
    for url in ["", "localhost:2280", "ftp://x", "unix:"] {
        let error = Process::connect(url).unwrap_err();
        let expect = (ErrorKind::InvalidInput, Delivery::NotSent);
        assert_eq!((error.kind(), error.delivery()), expect, "{url}");
    }
    let error = Process::builder("http://127.0.0.1:1")
        .token("a\nb")
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn the_daemon_says_no() {
    let sandbox = Sandbox::tcp().await;
    let error = sandbox
        .process
        .exec("true")
        .env("A-B", "")
        .await
        .unwrap_err();
    let expect = (ErrorKind::InvalidInput, Delivery::Rejected);
    assert_eq!((error.kind(), error.delivery()), expect);
    assert_eq!(
        (error.status(), error.code()),
        (Some(400), Some("BAD_REQUEST"))
    );
    assert!(
        error.to_string().contains("'A-B'") && error.request_id().is_some(),
        "{error:?}"
    );

    let error = sandbox.process.exec(" \n").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = sandbox
        .process
        .code_run("1")
        .language(Language::Ruby)
        .env("PATH", "/none")
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(422), "{error:?}");
    assert!(
        error.to_string().contains("apt-get install ruby"),
        "{error}"
    );
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_wrong_token() {
    let directory = tempfile::tempdir().unwrap();
    let engine = sandbox_engine::Engine::builder()
        .work_dir(directory.path())
        .build()
        .unwrap();
    let token = sandbox_daemon::Access::Token(sandbox_daemon::Token::new("right").unwrap());
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = sandbox_daemon::Config::new(listen, token, engine);
    let server = sandbox_daemon::Server::bind(config).await.unwrap();
    let url = server.address().to_string();
    let serving = tokio::spawn(server.serve(std::future::pending()));
    for builder in [
        Process::builder(&url),
        Process::builder(&url).token("wrong"),
    ] {
        let error = builder.build().unwrap().exec("touch x").await.unwrap_err();
        assert!(
            error.is_unauthorized() && error.delivery() == Delivery::Rejected,
            "{error:?}"
        );
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    serving.abort();
}

/// Responds to one connection with these bytes and closes it.
async fn answering(bytes: &'static [u8]) -> Process {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request)
            .await
            .unwrap();
        stream.write_all(bytes).await.unwrap();
    });
    Process::connect(url).unwrap()
}

#[tokio::test]
async fn a_connection_that_ends_early_is_never_a_success() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"exitCode\":0",
    ] {
        let error = answering(bytes).await.exec("true").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::Closed, Delivery::Uncertain)
        );
    }
}

#[tokio::test]
async fn malformed_responses_are_errors() {
    let error = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope").await;
    let error = error.exec("true").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Protocol, Delivery::Uncertain)
    );

    let page = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 15\r\n\r\n<h1>Sorry!</h1>";
    let error = answering(page).await.exec("true").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Server, Delivery::Uncertain)
    );
    assert_eq!(error.to_string(), "<h1>Sorry!</h1>");
}

#[tokio::test]
async fn a_stock_response_without_an_exit_code_is_no_success() {
    let process =
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"result\":\"\"}").await;
    let response = process.exec("true").await.unwrap();
    assert_eq!(response.exit_code(), None);
    assert!(!response.success());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_responds_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let process = Process::connect(url).unwrap();
    let waits = async |future: &mut (dyn Future<Output = Error> + Unpin)| {
        let started = tokio::time::Instant::now();
        let error = future.await;
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::Timeout, Delivery::Uncertain)
        );
        started.elapsed().as_secs()
    };
    let version = async { process.version().await.unwrap_err() };
    assert_eq!(waits(&mut std::pin::pin!(version)).await, 30);
    let limit = Duration::from_secs(5);
    let limited = async { process.exec("x").timeout(limit).await.unwrap_err() };
    assert_eq!(waits(&mut std::pin::pin!(limited)).await, 20);
    let unlimited = async { process.exec("x").await.unwrap_err() };
    assert_eq!(waits(&mut std::pin::pin!(unlimited)).await, 24 * 60 * 60);
}

#[tokio::test]
async fn a_response_that_is_too_long_is_refused() {
    let sandbox = Sandbox::tcp().await;
    let endpoint = sandbox.url.parse().unwrap();
    let transport = HttpTransport::builder(endpoint)
        .token("test-token")
        .response_limit(1000);
    let process = Process::with_api(transport.build_http().unwrap());
    assert!(process.exec("true").await.unwrap().success());
    let error = process.exec("seq 1 1000").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::TooLarge, Delivery::Uncertain)
    );
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_pooled_connection_that_the_server_closed_is_no_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let count = tokio::io::AsyncReadExt::read(&mut stream, &mut request)
                .await
                .unwrap();
            assert!(count > 0);
            // Persistent by its own word, and closed all the same.
            let answer =
                b"HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n{\"exitCode\":0,\"result\":\"ok\"} ";
            stream.write_all(answer).await.unwrap();
        }
    });
    let process = Process::connect(url).unwrap();
    for _ in 0..3 {
        assert_eq!(process.exec("true").await.unwrap().stdout, "ok");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    served.await.unwrap();
}
