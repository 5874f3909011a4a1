//! The client's example programs, by every way to a daemon.

use sandbox_tests::{Carrier, Sandbox};

/// Takes in an example, of which a test calls all but `main`.
macro_rules! example {
    ($name:ident, $path:literal) => {
        #[path = $path]
        #[expect(dead_code, reason = "a program has its own beginning")]
        mod $name;
    };
}

example!(
    code_run,
    "../../crates/sandbox-process/examples/code_run.rs"
);
example!(exec, "../../crates/sandbox-process/examples/exec.rs");
example!(
    interpreter,
    "../../crates/sandbox-process/examples/interpreter.rs"
);
example!(logs, "../../crates/sandbox-process/examples/logs.rs");
example!(
    sessions,
    "../../crates/sandbox-process/examples/sessions.rs"
);
example!(
    terminal,
    "../../crates/sandbox-process/examples/terminal.rs"
);

async fn all(sandbox: Sandbox) {
    let process = &sandbox.process;
    exec::run(process).await.unwrap();
    code_run::run(process).await.unwrap();
    sessions::run(process).await.unwrap();
    logs::run(process).await.unwrap();
    terminal::run(process).await.unwrap();
    interpreter::run(process).await.unwrap();
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded() {
    all(Sandbox::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_tcp() {
    all(Sandbox::over(Carrier::HttpTcp).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_tls() {
    all(Sandbox::tls().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_unix_socket() {
    all(Sandbox::over(Carrier::HttpUnix).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_grpc() {
    all(Sandbox::over(Carrier::GrpcTcp).await).await;
}
