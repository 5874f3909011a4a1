//! One table of operations and of what can go wrong with them, run over every carrier: the transcripts are equal.
//!
//! A case reports what it saw. What differs from run to run (ids, times, directories) is replaced by a name; what came as a stream
//! is reported joined, since its pieces are cut differently each time. A WebSocket has no room for the code of a refusal, so
//! where a stream is refused only its kind, delivery and words are reported.

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
mod soft;
mod streams;
mod terminal;
mod transcript;

use std::future::Future;
use std::pin::Pin;

use sandbox_tests::{Carrier, Sandbox};
use transcript::Transcript;

type Run<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Rows of the table, each a function of its name and a test of its own.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        mod cases {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    $crate::conformance::compare(|sandbox, transcript| {
                        Box::pin(super::$name(sandbox, transcript))
                    })
                    .await;
                }
            )*
        }
    };
}
use cases;

/// Runs a case over each carrier, and compares what it reports.
async fn compare(case: for<'a> fn(&'a Sandbox, &'a mut Transcript) -> Run<'a>) {
    let runs = Carrier::ALL.map(|carrier| {
        tokio::spawn(async move {
            let sandbox = Sandbox::over(carrier).await;
            let mut transcript = Transcript::new(&sandbox);
            case(&sandbox, &mut transcript).await;
            sandbox.shutdown().await;
            transcript
        })
    });
    let mut transcripts = Vec::new();
    for (carrier, run) in Carrier::ALL.into_iter().zip(runs) {
        let run = run.await;
        let transcript = run.unwrap_or_else(|error| panic!("{carrier:?}: {error}"));
        transcripts.push((carrier, transcript));
    }
    let (first, others) = transcripts.split_first().unwrap();
    assert!(!first.1.is_empty(), "the case reports nothing");
    let differences: String = others
        .iter()
        .filter_map(|(carrier, transcript)| {
            let difference = first.1.difference(transcript)?;
            Some(format!("- {:?}, + {carrier:?}\n{difference}", first.0))
        })
        .collect();
    assert!(differences.is_empty(), "\n{differences}");
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
        include_str!("soft.rs"),
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
