//! Logs: live, from an offset, and as the official SDKs pass them to handlers.
//!
//! `cargo run -p sandbox-process --example logs`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use sandbox_process::{LogEvent, LogOptions, Process, demux_log};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), Box<dyn std::error::Error>> {
    let session = process.create_session("my-logs").await?;
    let command = session.spawn("echo out; echo err >&2").await?;
    let mut log = command.follow(LogOptions::new()).await?;
    while let Some(event) = log.next().await {
        match event? {
            LogEvent::Output {
                channel,
                offset,
                bytes,
            } => println!("{channel} at {offset}: {bytes:?}"),
            LogEvent::Gap { length, .. } => println!("{length} bytes are missing"),
            _ => {}
        }
    }
    let logs = command.logs().await?;
    println!("{:?}, {:?}", logs.stdout_lossy(), logs.stderr_lossy());

    // The same by the names of the official SDKs, whose `output` has markers between the channels.
    let logs = process
        .get_session_command_logs(session.id(), command.id())
        .await?;
    let (stdout, stderr) = demux_log(logs.output.as_bytes());
    assert_eq!((&stdout[..], &stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    process
        .get_session_command_logs_async(
            session.id(),
            command.id(),
            |log: String| print!("[STDOUT]: {log}"),
            async |log: String| print!("[STDERR]: {log}"),
        )
        .await?;
    session.delete().await?;
    Ok(())
}
