//! What each operation of a daemon costs, beside what the kernel allows for the same work, in the same run.
//!
//! `cargo xtask bench daemon`; with `--against URL` any daemon with the toolbox API, over HTTP alone. With the variable
//! `SANDBOX_BENCH_ONLY=Files`, only the groups whose names begin so. Not a test: no number of it is asserted. In a table of its own, because
//! it is a comparison; `exec` and `carriers` look closer at single operations.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

mod bare;
mod measure;
mod null;
mod reasons;
mod report;
mod rows;
mod serve;
mod terminal;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use measure::Row;
use report::{About, Group, Report};
use sandbox_process::Process;
use serve::Daemon;

fn main() -> ExitCode {
    if let Some(code) = serve::if_asked() {
        return code;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let report = runtime.block_on(async {
        match variable("AGAINST") {
            Some(url) => against(&url).await,
            None => own().await,
        }
    });
    match variable("FORMAT").as_deref() {
        Some("json") => println!("{:#}", report.json()),
        Some("page") => {
            let root = variable("ROOT").expect("the root of the repository");
            report.write(root.as_ref()).expect("the page is written");
            println!("{}", report.text());
        }
        _ => println!("{}", report.text()),
    }
    if report.groups.iter().any(|group| group.failure.is_some()) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Returns what `cargo xtask bench` has set.
fn variable(name: &str) -> Option<String> {
    std::env::var(format!("SANDBOX_BENCH_{name}")).ok()
}

async fn own() -> Report {
    let (tcp, unix) = (Daemon::tcp(), Daemon::unix());
    let [http, grpc] = [tcp.client(), tcp.grpc()];
    let version = http.version().await.expect("a version");
    let mut run = Run::new(format!("sandbox-daemon {version}"));
    run.group("Commands", async {
        let mut rows = rows::commands::exec("TCP", &http).await;
        rows.extend(rows::commands::exec("Unix", &unix.client()).await);
        rows.extend(rows::commands::parallel(&http).await);
        rows
    })
    .await;
    drop(unix);
    run.group("Outputs", async {
        let mut rows = rows::outputs::whole("HTTP", &http).await;
        rows.extend(rows::outputs::whole("gRPC", &grpc).await);
        rows.extend(rows::outputs::streamed("HTTP", &http).await);
        rows.extend(rows::outputs::streamed("gRPC", &grpc).await);
        rows
    })
    .await;
    toolbox(&mut run, &http).await;
    run.group("Files", rows::files::rows(&tcp)).await;
    run.group("Isolation", rows::isolation::rows(&http)).await;
    drop(tcp);
    run.group("Sandboxes", rows::sandboxes::rows()).await;
    run.group("The daemon's process", rows::process::rows())
        .await;
    run.group("Beside many others", rows::growth::rows()).await;
    run.group("Codec and client", async {
        let mut rows = rows::codec::rows();
        rows.extend(rows::client::rows());
        rows
    })
    .await;
    run.report()
}

async fn against(url: &str) -> Report {
    let mut builder = Process::builder(url);
    if let Some(token) = variable("TOKEN") {
        builder = builder.token(token);
    }
    let process = builder.build().expect("a daemon's URL");
    let version = process.version().await.expect("a daemon there");
    let mut run = Run::new(format!("the daemon at {url}, version {version}"));
    run.group("Commands", async {
        let mut rows = rows::commands::exec("HTTP", &process).await;
        rows.extend(rows::commands::parallel(&process).await);
        rows
    })
    .await;
    run.group("Outputs", rows::outputs::whole("HTTP", &process))
        .await;
    toolbox(&mut run, &process).await;
    run.report()
}

/// The rows that any daemon with the toolbox API has.
async fn toolbox(run: &mut Run, process: &Process) {
    run.group("Sessions", rows::sessions::rows(process)).await;
    run.group("Logs", rows::logs::rows(process)).await;
    run.group("Lists", rows::logs::lists(process)).await;
    run.group("Terminals", rows::terminals::rows(process)).await;
    run.group("Programs", rows::programs::rows(process)).await;
    run.group("Interpreter contexts", rows::contexts::rows(process))
        .await;
}

/// A run of the bench.
struct Run {
    started: Instant,
    about: About,
    groups: Vec<Group>,
}

impl Run {
    fn new(daemon: String) -> Self {
        Self {
            started: Instant::now(),
            about: About::new(daemon),
            groups: Vec::new(),
        }
    }

    /// Measures some rows. If they cannot be measured, the others are all the same.
    async fn group(&mut self, name: &'static str, rows: impl Future<Output = Vec<Row>>) {
        let only = variable("ONLY");
        if only.is_some_and(|only| !name.starts_with(&only)) {
            return;
        }
        let started = Instant::now();
        let rest = ALL.saturating_sub(self.started.elapsed());
        let rows = tokio::time::timeout(PATIENCE.min(rest), rows);
        let (rows, failure) = match AssertUnwindSafe(rows).catch_unwind().await {
            Ok(Ok(rows)) => (rows, None),
            Ok(Err(_)) => (Vec::new(), Some("took too long")),
            Err(_) => (Vec::new(), Some("failed")),
        };
        self.groups.push(Group {
            name,
            rows,
            failure,
            took: started.elapsed(),
        });
    }

    fn report(self) -> Report {
        Report::new(self.about, self.groups)
    }
}

/// How long a group of rows may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long all groups may take together.
const ALL: Duration = Duration::from_secs(18 * 60);
