//! Isolation of commands.

use std::time::Instant;

use sandbox_process::Process;
use sandbox_process::transport::Isolation;

use super::{FEW, ROUNDS, exec};
use crate::bare::{self, SHELL};
use crate::measure::{Goal, LONGEST, Row, Samples, Unit, time};

const BUBBLEWRAP: bare::Words<'_> = &[
    "bwrap",
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--tmpfs",
    "/tmp",
    "--tmpfs",
    "/run",
    "--tmpfs",
    "/home",
    "--unshare-all",
    "--die-with-parent",
    "/bin/bash",
    "-c",
    "true",
];

/// What isolation adds: each sample is of the difference to the same command without it, right before.
pub(crate) async fn rows(process: &Process) -> Vec<Row> {
    const NAME: &str = "exec of `true`, added by isolation";
    let has_bubblewrap = bare::is_installed("bwrap");
    let (mut ours, mut bubblewrap) = (Samples::default(), Samples::default());
    let started = Instant::now();
    for _ in 0..ROUNDS / 2 {
        if ours.len() >= FEW && started.elapsed() > LONGEST {
            break;
        }
        let plain = exec(process).await;
        let isolated = process.exec("true").isolation(Isolation::strict());
        let isolated = async {
            let outcome = isolated.await.expect("an outcome");
            assert_eq!(outcome.exit_code(), Some(0), "{:?}", outcome.termination);
        };
        ours.add(time(isolated).await - plain);
        if has_bubblewrap {
            let plain = bare::spawn(SHELL);
            bubblewrap.add(bare::spawn(BUBBLEWRAP) - plain);
        }
    }
    let added = Row::new(NAME, Unit::Time, ours.clone()).goal(Goal::Within(2.5e-3));
    let beside = format!("{NAME}, beside bubblewrap");
    let beside = if has_bubblewrap {
        Row::new(beside, Unit::Time, ours)
            .limit("added by bubblewrap to the same shell", bubblewrap)
            .goal(Goal::Ratio(0.5))
    } else {
        Row::absent(beside, "bubblewrap is not installed")
    };
    vec![added, beside]
}
