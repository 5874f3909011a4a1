//! One table of operations and of what can go wrong with them, run over every carrier: the transcripts are equal.
//!
//! A case tells what it saw. What differs from run to run (ids, times, directories) is told by a name; what came as a stream
//! is told joined, since its pieces are cut differently each time. A WebSocket has no room for the code of a refusal, so
//! where a stream is refused only its kind, delivery and words are told.

mod code;
mod cutter;
mod errors;
mod exec;
mod files;
mod info;
mod interpreter;
mod isolation;
mod pty;
mod session;
mod streams;
mod terminal;
mod transcript;

use std::future::Future;
use std::pin::Pin;

use sandbox_tests::{Carrier, Sandbox};
use transcript::Transcript;

/// A row of the table.
struct Case {
    name: &'static str,
    run: for<'a> fn(&'a Sandbox, &'a mut Transcript) -> Run<'a>,
}

type Run<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Rows of the table, each a function of its name.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        &[$($crate::conformance::Case {
            name: stringify!($name),
            run: |sandbox, transcript| Box::pin($name(sandbox, transcript)),
        }),*]
    };
}
use cases;

/// Runs each case over each carrier, and compares what it tells.
async fn compare(cases: &'static [Case]) {
    let runs = Carrier::ALL.map(|carrier| {
        tokio::spawn(async move {
            let sandbox = Sandbox::over(carrier).await;
            let mut transcripts = Vec::new();
            for case in cases {
                let mut transcript = Transcript::new(&sandbox);
                (case.run)(&sandbox, &mut transcript).await;
                transcripts.push(transcript);
            }
            sandbox.end().await;
            transcripts
        })
    });
    let mut told = Vec::new();
    for (carrier, run) in Carrier::ALL.into_iter().zip(runs) {
        told.push((carrier, run.await.unwrap()));
    }
    let (first, others) = told.split_first().unwrap();
    let mut differences = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let expect = &first.1[index];
        assert!(!expect.is_empty(), "{} tells nothing", case.name);
        for (carrier, transcripts) in others {
            if let Some(difference) = expect.difference(&transcripts[index]) {
                let (case, first) = (case.name, first.0);
                differences.push(format!("{case}: - {first:?}, + {carrier:?}\n{difference}"));
            }
        }
    }
    assert!(differences.is_empty(), "\n{}", differences.concat());
}

/// Each operation of the contract has its row.
#[test]
fn the_table_is_whole() {
    let contract = [
        include_str!("../../../crates/sandbox-transport/src/api.rs"),
        include_str!("../../../crates/sandbox-transport/src/files.rs"),
    ]
    .concat();
    let table = [
        include_str!("code.rs"),
        include_str!("errors.rs"),
        include_str!("exec.rs"),
        include_str!("files.rs"),
        include_str!("info.rs"),
        include_str!("interpreter.rs"),
        include_str!("isolation.rs"),
        include_str!("pty.rs"),
        include_str!("session.rs"),
        include_str!("streams.rs"),
    ]
    .concat();
    let operations: Vec<_> = contract
        .lines()
        .filter_map(|line| line.strip_prefix("    fn "))
        .filter_map(|line| line.split(['(', '<']).next())
        .collect();
    assert!(operations.len() > 30, "{operations:?}");
    for operation in operations {
        let call = format!("{operation}(");
        assert!(table.contains(&call), "no case has {operation}");
    }
}
