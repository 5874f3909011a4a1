//! The operations.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sandbox_process::Process;

use crate::measure::time;

pub(crate) mod client;
pub(crate) mod codec;
pub(crate) mod commands;
pub(crate) mod contexts;
pub(crate) mod files;
pub(crate) mod growth;
pub(crate) mod isolation;
pub(crate) mod logs;
pub(crate) mod outputs;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod sandboxes;
pub(crate) mod sessions;
pub(crate) mod terminals;

const ROUNDS: usize = 200;
const FEW: usize = 5;

/// Longer than a daemon prepares the next start of an interpreter.
const PAUSE: Duration = Duration::from_secs(2);

/// Returns an id that no other row has.
fn id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("bench-{}-{number}", std::process::id())
}

/// Runs `true` in a shell.
async fn exec(process: &Process) -> f64 {
    time(async {
        let outcome = process.exec("true").await.expect("an outcome");
        assert_eq!(outcome.exit_code(), Some(0));
    })
    .await
}

/// Asks for the version.
async fn round_trip(process: &Process) -> f64 {
    time(async {
        process.version().await.expect("a version");
    })
    .await
}

/// The interpreter of Python that daemon and limit use.
fn python() -> String {
    let python = sandbox_tests::python().unwrap_or_else(|| "python3".into());
    python.to_str().expect("a printable path").to_owned()
}
