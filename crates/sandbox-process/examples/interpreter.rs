//! An interpreter that remembers.
//!
//! `cargo run -p sandbox-process --features embedded --example interpreter`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use sandbox_process::Process;

#[tokio::main]
async fn main() -> Result<(), sandbox_process::Error> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), sandbox_process::Error> {
    let python = process.code_interpreter();
    python.run_code("x = 40").await?;
    print!("{}", python.run_code("print(x + 2)").await?.stdout);

    let context = python.create_context(Some("/tmp")).await?;
    let result = python.run_code("x").context(&context.id).await?;
    if let Some(error) = result.error {
        println!("{}: {}", error.name, error.value);
    }
    python.delete_context(&context.id).await?;
    Ok(())
}
