//! Commands.

use std::time::Instant;

use futures_util::future::join_all;
use sandbox_process::Process;

use super::{FEW, ROUNDS};
use crate::bare::{self, SHELL};
use crate::measure::{Goal, Row, Unit, rate};

pub(crate) async fn exec(over: &str, process: &Process) -> Vec<Row> {
    let row = Row::in_turns(
        (format!("exec of `true`, {over}"), Unit::Time, 2 * ROUNDS),
        "spawn and wait of the same shell",
        async || bare::spawn(SHELL),
        async || super::exec(process).await,
    );
    let row = row.await.goal(Goal::Ratio(1.1));
    vec![row.clone(), row.p99(Goal::Ratio(1.5))]
}

/// Commands of several clients at a time.
pub(crate) async fn parallel(process: &Process) -> Vec<Row> {
    let mut rows = Vec::new();
    for (clients, calls) in [(1, 64), (4, 32), (16, 16), (64, 8)] {
        let ours = async || {
            let started = Instant::now();
            join_all((0..clients).map(async |_| {
                for _ in 0..calls {
                    super::exec(process).await;
                }
            }))
            .await;
            rate(clients * calls, started)
        };
        let bare = async || {
            let spawn = || {
                bare::spawn(SHELL);
            };
            bare::in_parallel(clients, calls, spawn).await
        };
        let name = format!("exec of `true`, {clients} clients");
        let what = "as many threads that spawn";
        let row = Row::in_turns((name, Unit::Calls, FEW), what, bare, ours);
        rows.push(row.await.goal(Goal::Ratio(0.8)));
    }
    rows
}
