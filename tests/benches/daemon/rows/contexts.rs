//! Contexts of interpreters.

use std::time::Instant;

use sandbox_process::{Language, Process};

use super::{ROUNDS, python, round_trip};
use crate::bare::{self, Loop};
use crate::measure::{Goal, Row, Samples, Unit, time};

/// The least that an interpreter that stays could do.
const LOOP: &str = "import sys\nfor line in sys.stdin:\n exec(line)\n print(flush=True)";

pub(crate) async fn rows(process: &Process) -> Vec<Row> {
    let python = python();
    let mut deleted = Samples::default();
    let created = Row::in_turns(
        ("context, create", Unit::Time, ROUNDS / 10),
        "bare start of Python",
        async || bare::spawn(&[&python, "-c", ""]),
        async || {
            let create = process.create_context(Language::Python);
            let started = Instant::now();
            let context = create.await.expect("a context");
            let created = started.elapsed().as_secs_f64();
            context.run("1").await.expect("an outcome");
            let delete = async { context.delete().await.expect("its end") };
            deleted.add(time(delete).await);
            created
        },
    );
    let created = created.await.goal(Goal::Ratio(0.3));
    let context = process.create_context(Language::Python).await;
    let context = context.expect("a context");
    let mut bare = Loop::start(&[&python, "-c", LOOP]);
    let called = Row::in_turns(
        ("context, call", Unit::Time, ROUNDS),
        "an `exec` loop on pipes, and a round trip of `/version`",
        async || bare.ask("1\n") + round_trip(process).await,
        async || {
            let run = context.run("1");
            time(async {
                run.await.expect("an outcome");
            })
            .await
        },
    );
    let called = called.await.goal(Goal::Ratio(1.5));
    context.delete().await.expect("its end");
    vec![
        created,
        Row::new("context, delete", Unit::Time, deleted),
        called,
    ]
}
