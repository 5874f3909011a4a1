//! A stateful interpreter context.
//!
//! `cargo run -p sandbox-process --example interpreter`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use sandbox_process::{Language, Process};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), Box<dyn std::error::Error>> {
    let python = process.create_context(Language::Python).cwd("/tmp").await?;
    python.run("x = 40").await?;
    print!("{}", python.run("print(x + 2)").await?.stdout_lossy());
    println!("{}", python.run("x + 1").await?.displays[0].text);

    let outcome = python.run("y").await?;
    if let Some(error) = &outcome.error {
        println!("{}: {}", error.name, error.value);
    }
    python.delete().await?;
    Ok(())
}
