//! Interpreter contexts.

mod javascript;
mod order;
mod pieces;
mod python;
mod spare;

use std::sync::Arc;
use std::time::Duration;

use sandbox_engine::Engine;
use sandbox_engine::code::Language;
use sandbox_engine::interpreter::{
    Context, ContextOptions, Ended, Ending, ExecuteOptions, Execution,
};
use sandbox_engine::record::Piece;

async fn make(engine: &Engine, language: Language) -> Context {
    let options = ContextOptions::default();
    engine.contexts().create(language, options).await.unwrap()
}

fn limited(seconds: u64) -> ExecuteOptions {
    ExecuteOptions {
        timeout: Some(Duration::from_secs(seconds)),
        ..ExecuteOptions::default()
    }
}

/// What came, in the order in which it came, and the end; within a minute.
pub(crate) async fn ended(execution: &Execution) -> (String, Arc<Ended>) {
    let ended = tokio::time::timeout(Duration::from_secs(60), execution.ended());
    let ended = ended.await.expect("an end");
    let mut output = Vec::new();
    let mut cursor = execution.record().follow(0).unwrap();
    while let Some(piece) = cursor.next().await {
        match piece {
            Piece::Data { bytes, .. } => output.extend_from_slice(&bytes),
            Piece::Gap { .. } => panic!("{piece:?}"),
        }
    }
    (String::from_utf8_lossy(&output).into_owned(), ended)
}

async fn run_with(context: &Context, code: &str, options: ExecuteOptions) -> (String, Arc<Ended>) {
    ended(&context.execute(code, options).unwrap()).await
}

/// Runs code that must complete without an exception.
async fn run(context: &Context, code: &str) -> String {
    let (output, ended) = run_with(context, code, limited(60)).await;
    assert_eq!(ended.ending, Ending::Completed, "{code}: {output}");
    assert_eq!(ended.failure, None, "{code}: {output}");
    output
}

/// Runs code that must fail, and reports the exception's name.
async fn fail(context: &Context, code: &str) -> String {
    let (_, ended) = run_with(context, code, limited(60)).await;
    assert_eq!(ended.ending, Ending::Completed, "{code}");
    ended.failure.clone().expect(code).name
}
