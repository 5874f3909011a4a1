//! Commands: run to their end, and followed while they run.
//!
//! `cargo run -p sandbox-process --example exec`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::time::Duration;

use sandbox_process::{Process, Termination};
use tokio::io::AsyncWriteExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), Box<dyn std::error::Error>> {
    let outcome = process.command("echo").arg("it's $5").await?;
    print!("{}", outcome.stdout_lossy());

    let outcome = process
        .exec("pwd; echo $K")
        .cwd("/usr")
        .env("K", "v")
        .await?;
    println!("{:?}: {:?}", outcome.exit_code(), outcome.stdout_lossy());

    let limit = Duration::from_millis(300);
    let outcome = process.exec("echo begun; sleep 10").timeout(limit).await?;
    assert_eq!(outcome.termination, Termination::TimedOut);
    println!("timed out after {:?}", outcome.stdout_lossy());

    let spawn = process.exec("read x; echo got $x; exit 3").spawn();
    let mut running = spawn.piped_stdin().kill_on_drop().await?;
    let mut stdin = running.stdin().ok_or("it is piped")?;
    stdin.write_all(b"a line\n").await?;
    drop(stdin);
    let end = running
        .wait_with(async |channel, bytes| println!("{channel}: {bytes:?}"))
        .await?;
    println!("exit code {:?}", end.exit_code());
    Ok(())
}
