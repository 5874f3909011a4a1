//! Logs as bytes: of both outputs at once, taken apart; and live, to handlers of either kind.
//!
//! `cargo run -p sandbox-process --features embedded --example logs`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use sandbox_process::{Process, demux_log, parse_session_command_logs};

#[tokio::main]
async fn main() -> Result<(), sandbox_process::Error> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), sandbox_process::Error> {
    let session_id = "my-logs";
    process.create_session(session_id).await?;
    let result = process
        .execute_session_command(session_id, "echo out; echo err >&2".into())
        .await?;
    let logs = process
        .get_session_command_logs(session_id, &result.cmd_id)
        .await?;
    println!("stdout: {:?}, stderr: {:?}", logs.stdout, logs.stderr);

    // What the daemon calls `output` has both, with marks between them.
    let (stdout, stderr) = demux_log(logs.output.as_bytes());
    assert_eq!((&stdout[..], &stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    let parsed = parse_session_command_logs(logs.output.as_bytes());
    assert_eq!(parsed.stdout_lossy(), logs.stdout);

    let mut lines = Vec::new();
    process
        .get_session_command_logs_async(
            session_id,
            &result.cmd_id,
            |log: String| lines.push(log),
            async |log: String| {
                tokio::task::yield_now().await;
                print!("[STDERR]: {log}");
            },
        )
        .await?;
    println!("{lines:?}");
    process.delete_session(session_id).await
}
