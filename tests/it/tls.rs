//! TLS between the two halves.

use sandbox_process::{ErrorKind, Process};
use sandbox_tests::{Authority, Sandbox, TOKEN};
use sandbox_transport::{
    Delivery, HttpTransport, LogEvent, LogOptions, LogSource, ProcessApi, SessionExecuteRequest,
    Tls,
};

fn client(url: &str, tls: Tls) -> HttpTransport {
    let endpoint = url.parse().unwrap();
    let builder = HttpTransport::builder(endpoint).token(TOKEN).tls(tls);
    builder.build_http().unwrap()
}

#[tokio::test]
async fn requests_and_sockets_go_by_tls() {
    let sandbox = Sandbox::tls().await;
    assert!(
        sandbox.url.starts_with("https://127.0.0.1:"),
        "{}",
        sandbox.url
    );
    let response = sandbox.process.exec("echo $((6 * 7))").await.unwrap();
    assert_eq!(response.stdout, "42\n");
    let api = client(&sandbox.url, sandbox.tls.clone().unwrap());
    api.create_session("s".into()).await.unwrap();
    let request = SessionExecuteRequest {
        run_async: true,
        ..SessionExecuteRequest::new("for i in 1 2 3; do echo $i; sleep 0.05; done")
    };
    let command = api.session_execute("s", request).await.unwrap().command_id;
    let source = LogSource::command("s", command);
    let mut log = api.follow_log(source, LogOptions::default()).await.unwrap();
    let mut text = Vec::new();
    while let Some(event) = log.next().await {
        if let LogEvent::Output { bytes, .. } = event.unwrap() {
            text.extend_from_slice(&bytes);
        }
    }
    assert_eq!(text, b"1\n2\n3\n");
    drop(log);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn strangers_are_turned_away_on_both_sides() {
    let sandbox = Sandbox::tls().await;
    let exec = async |tls| {
        let process = Process::with_api(client(&sandbox.url, tls));
        process.exec("true").await.unwrap_err()
    };
    // A daemon with a certificate of an authority that the client does not know.
    let other = Authority::new();
    let unknown = Tls::new().without_platform_roots();
    let unknown = unknown.root_certificates(other.pem().as_bytes()).unwrap();
    let error = exec(unknown.clone()).await;
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(error.delivery() == Delivery::NotSent, "{error:?}");
    // A client who speaks no TLS at all.
    let plain = sandbox.url.replacen("https", "http", 1);
    let process = Process::builder(plain).token(TOKEN).build().unwrap();
    process.exec("true").await.unwrap_err();
    // It still serves those whom it knows.
    let response = sandbox.process.exec("echo still here").await.unwrap();
    assert_eq!(response.stdout, "still here\n");
    sandbox.shutdown().await;
}

/// The clock of this test advances whenever all tasks are idle.
#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    use tokio::io::AsyncReadExt;

    let sandbox = Sandbox::tls().await;
    let address = sandbox.url.strip_prefix("https://").unwrap();
    let mut silent = tokio::net::TcpStream::connect(address).await.unwrap();
    assert_eq!(
        silent.read(&mut [0]).await.unwrap(),
        0,
        "the daemon hangs up"
    );
    sandbox.shutdown().await;
}
