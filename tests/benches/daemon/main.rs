//! What each operation of a daemon costs, beside what the kernel allows for the same work, in the same run.
//!
//! `cargo xtask bench daemon`; with `--against URL` any daemon with the toolbox API, over HTTP alone. Not a test: no number of it is
//! asserted. In a table of its own, because it is a comparison; `exec` and `carriers` look closer at single operations.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

mod bare;
mod measure;
mod report;
mod rows;

use measure::Row;
use report::About;
use sandbox_process::Process;
use sandbox_tests::{Carrier, Sandbox};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (about, rows) = runtime.block_on(async {
        match variable("AGAINST") {
            Some(url) => against(&url).await,
            None => own().await,
        }
    });
    match variable("FORMAT").as_deref() {
        Some("json") => println!("{:#}", report::json(&about, &rows)),
        Some("page") => {
            let path = variable("PAGE").expect("the path of the page");
            std::fs::write(&path, report::page(&about, &rows)).expect("the page is written");
            println!("{}", report::text(&about, &rows));
        }
        _ => println!("{}", report::text(&about, &rows)),
    }
}

/// Returns what `cargo xtask bench` has set.
fn variable(name: &str) -> Option<String> {
    std::env::var(format!("SANDBOX_BENCH_{name}")).ok()
}

async fn own() -> (About, Vec<Row>) {
    let http = Sandbox::over(Carrier::HttpTcp).await;
    let unix = Sandbox::over(Carrier::HttpUnix).await;
    let grpc = Sandbox::over(Carrier::GrpcTcp).await;
    let version = http.process.version().await.expect("a version");
    let mut about = About::new(format!("sandbox-daemon {version}"));
    let mut rows = rows::commands("TCP", &http.process).await;
    rows.extend(rows::commands("Unix", &unix.process).await);
    rows.extend(rows::outputs("HTTP", &http.process).await);
    rows.extend(rows::outputs("gRPC", &grpc.process).await);
    rows.extend(rest(&http.process).await);
    rows.extend(rows::files(&http.process, &http.work_dir()).await);
    about.end();
    for sandbox in [http, unix, grpc] {
        sandbox.end().await;
    }
    (about, rows)
}

async fn against(url: &str) -> (About, Vec<Row>) {
    let mut builder = Process::builder(url);
    if let Some(token) = variable("TOKEN") {
        builder = builder.token(token);
    }
    let process = builder.build().expect("a daemon's URL");
    let version = process.version().await.expect("a daemon there");
    let mut about = About::new(format!("the daemon at {url}, version {version}"));
    let mut rows = rows::commands("HTTP", &process).await;
    rows.extend(rows::outputs("HTTP", &process).await);
    rows.extend(rest(&process).await);
    about.end();
    (about, rows)
}

/// The rows that are measured in one way only.
async fn rest(process: &Process) -> Vec<Row> {
    let mut rows = rows::sessions(process).await;
    rows.extend(rows::logs(process).await);
    rows.extend(rows::terminals(process).await);
    rows.extend(rows::programs(process).await);
    rows.extend(rows::contexts(process).await);
    rows
}
