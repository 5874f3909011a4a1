//! What goes wrong on the way to the daemon.

use std::time::Duration;

use sandbox_process::Process;
use sandbox_tests::{Sandbox, TOKEN};
use sandbox_transport::{
    CallOptions, InterpretRequest, LogOptions, LogSource, PtyAttachRequest, PtyRequest,
};
use tokio::net::{TcpListener, UnixListener};

use super::cases;
use super::exec::command;
use super::transcript::Transcript;

cases![tokens, deadlines, keys_that_cannot_be_sent];

async fn tokens(sandbox: &Sandbox, told: &mut Transcript) {
    for token in [None, Some("wrong")] {
        let builder = Process::builder(&sandbox.url);
        let process = match token {
            Some(token) => builder.token(token).build().unwrap(),
            None => builder.build().unwrap(),
        };
        let api = process.api();
        told.result("execute", api.execute(command("touch x")).await);
        let stream = sandbox_transport::ExecStreamRequest {
            request: command("touch x"),
            ..sandbox_transport::ExecStreamRequest::default()
        };
        told.result("stream", api.execute_stream(stream).await);
        let source = LogSource::command("s", "c");
        told.result("follow", api.follow_log(source, LogOptions::new()).await);
        let attach = PtyAttachRequest::new("p");
        told.result("connect", api.connect_pty(attach).await.map(drop));
        told.result("version", api.version().await);
    }
    let seen = sandbox
        .process
        .api()
        .execute(command("ls x"))
        .await
        .unwrap();
    told.tell("nothing was done", seen.termination);
}

/// A deadline is reported with whether the daemon may have the request, and takes nothing back.
async fn deadlines(sandbox: &Sandbox, told: &mut Transcript) {
    let soon = CallOptions::new().deadline(Duration::from_secs(3));
    let api = sandbox.process.api().with_options(soon);
    let slow = "while ! [ -e go ]; do sleep 0.05; done; echo x > late";
    told.result("slow", api.execute(command(slow)).await);
    let wait = ": > go; while ! [ -s late ]; do sleep 0.1; done; cat late";
    let late = sandbox.process.api().execute(command(wait)).await;
    told.result("it was done all the same", late);
}

async fn keys_that_cannot_be_sent(sandbox: &Sandbox, told: &mut Transcript) {
    let process = Process::builder(&sandbox.url).token("a\nb").build();
    told.refusal("token", &process.unwrap_err());
    let header = Process::builder(&sandbox.url).transport(|transport| transport.header("a b", ""));
    told.refusal("header", &header.build().unwrap_err());
}

/// Where nothing listens, and where nothing responds.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_listens() {
    let directory = tempfile::tempdir().unwrap();
    let silent = directory.path().join("silent");
    let _listener = UnixListener::bind(&silent).unwrap();
    let silent_tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent_tcp.local_addr().unwrap().port();
    // Side by side: each waits for the deadlines of its calls one after the other.
    let schemes = [
        "http://127.0.0.1:",
        "grpc://127.0.0.1:",
        "unix:",
        "grpc+unix:",
    ];
    let seen = futures_util::future::join_all(schemes.map(async |scheme| {
        let url = |is_there: bool| match (scheme.contains("unix"), is_there) {
            (true, true) => format!("{scheme}{}", silent.display()),
            (true, false) => format!("{scheme}/no/such/socket"),
            (false, true) => format!("{scheme}{port}"),
            (false, false) => format!("{scheme}1"),
        };
        let mut lines = Vec::new();
        for is_there in [true, false] {
            let soon = CallOptions::new().deadline(Duration::from_secs(3));
            let process = Process::builder(url(is_there))
                .token(TOKEN)
                .build()
                .unwrap();
            let api = process.api().with_options(soon);
            let mut tell = |error: sandbox_process::Error| {
                lines.push((is_there, error.kind(), error.delivery()));
            };
            tell(api.execute(command("true")).await.unwrap_err());
            tell(api.version().await.unwrap_err());
            tell(api.create_session("s".into()).await.unwrap_err());
            let source = LogSource::command("s", "c");
            tell(api.follow_log(source, LogOptions::new()).await.unwrap_err());
            tell(api.open_pty(PtyRequest::default()).await.unwrap_err());
            let run = api.interpret(InterpretRequest::default()).await;
            tell(run.unwrap_err());
        }
        lines
    }))
    .await;
    for lines in &seen[1..] {
        assert_eq!(*lines, seen[0]);
    }
}

/// The carrier is of no matter for who is let in by TLS.
#[tokio::test(flavor = "multi_thread")]
async fn certificates() {
    let mut seen = Vec::new();
    for sandbox in [Sandbox::tls().await, Sandbox::grpc_tls().await] {
        let mut lines = Vec::new();
        let trusted = sandbox.tls.clone().unwrap();
        let plain = sandbox.url.replacen("s://", "://", 1);
        for (url, tls) in [
            (&sandbox.url, Some(trusted)),
            (&sandbox.url, None),
            (&plain, None),
        ] {
            let mut builder = Process::builder(url).token(TOKEN);
            if let Some(tls) = tls {
                builder = builder.transport(|transport| transport.tls(tls));
            }
            let soon = CallOptions::new().deadline(Duration::from_secs(5));
            let process = builder.build().unwrap().with_options(soon);
            let result = process.exec("echo in").await;
            lines.push(match result {
                Ok(outcome) => outcome.stdout_lossy().into_owned(),
                Err(error) => format!("{:?}", error.kind()),
            });
        }
        seen.push(lines);
        sandbox.shutdown().await;
    }
    for lines in &mut seen {
        assert_eq!(lines[0], "in\n");
        // What a server of TLS says to who does not speak it is read as one carrier or the other would.
        let plain = lines.pop().unwrap();
        assert!(["Protocol", "Closed"].contains(&plain.as_str()), "{plain}");
    }
    assert_eq!(seen[0], seen[1]);
}
