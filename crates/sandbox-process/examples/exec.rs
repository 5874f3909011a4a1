//! Commands: to their end, with a place, variables and a limit; and followed while they run.
//!
//! `cargo run -p sandbox-process --features embedded --example exec`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::time::Duration;

use sandbox_process::{ExecEvent, Process, Termination};

#[tokio::main]
async fn main() -> Result<(), sandbox_process::Error> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), sandbox_process::Error> {
    let response = process.exec("echo 'Hello'").await?;
    print!("{}", response.artifacts.stdout);

    let response = process
        .exec("pwd; echo $K")
        .cwd("/usr")
        .env("K", "v")
        .await?;
    println!("{:?}: {:?}", response.exit_code, response.result);

    let limited = process
        .exec("echo begun; sleep 10")
        .timeout(Duration::from_millis(300))
        .await?;
    assert_eq!(limited.termination, Termination::TimedOut);
    println!("ended in time, having said {:?}", limited.result);

    let mut stream = process
        .exec("read x; echo got $x; exit 3")
        .with_input()
        .stream()
        .await?;
    stream.write("a line\n").await?;
    while let Some(event) = stream.next().await {
        match event? {
            ExecEvent::Output { channel, bytes, .. } => println!("{channel:?}: {bytes:?}"),
            ExecEvent::Ended { termination } => println!("exit code {:?}", termination.exit_code()),
            _ => {}
        }
    }
    Ok(())
}
