//! Sessions.

use std::time::Instant;

use sandbox_process::Process;

use super::{ROUNDS, id, round_trip};
use crate::bare;
use crate::measure::{Goal, Row, Samples, Unit, time};

pub(crate) async fn rows(process: &Process) -> Vec<Row> {
    let session = process.create_session(id()).await.expect("a session");
    let run = async |command: &str| {
        let run = session.run(command);
        time(async {
            run.await.expect("an outcome");
        })
        .await
    };
    let builtin = Row::in_turns(
        ("session command `:`", Unit::Time, ROUNDS),
        "round trip of `/version`",
        async || round_trip(process).await,
        async || run(":").await,
    );
    let builtin = builtin.await.goal(Goal::Ratio(2.0));
    let program = Row::in_turns(
        ("session command `/bin/true`", Unit::Time, ROUNDS),
        "that round trip, and a spawn",
        async || round_trip(process).await + bare::spawn(&["/bin/true"]),
        async || run("/bin/true").await,
    );
    let program = program.await.goal(Goal::Ratio(1.3));
    session.delete().await.expect("its end");
    let mut rows = vec![builtin, program];
    rows.extend(lives(process).await);
    rows
}

async fn lives(process: &Process) -> [Row; 2] {
    let mut deleted = Samples::default();
    let created = Row::in_turns(
        ("session, create", Unit::Time, ROUNDS / 2),
        "bare start of the shell",
        async || bare::spawn(&["/bin/bash", "-c", ":"]),
        async || {
            let create = process.create_session(id());
            let started = Instant::now();
            let session = create.await.expect("a session");
            let created = started.elapsed().as_secs_f64();
            session.run(":").await.expect("an outcome");
            let delete = async { session.delete().await.expect("its end") };
            deleted.add(time(delete).await);
            created
        },
    );
    let created = created.await.goal(Goal::Ratio(1.5));
    let deleted = Row::new("session, delete", Unit::Time, deleted);
    [created, deleted.goal(Goal::Within(1.5e-3))]
}
