//! A terminal: made, typed into, resized, left and found again.
//!
//! `cargo run -p sandbox-process --features embedded --example terminal`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use sandbox_process::{Bytes, Process, PtySize};

#[tokio::main]
async fn main() -> Result<(), sandbox_process::Error> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), sandbox_process::Error> {
    let size = PtySize { rows: 24, cols: 80 };
    let mut handle = process
        .create_pty_session("my-pty")
        .cwd("/tmp")
        .env("VAR", "value")
        .pty_size(size)
        .await?;
    handle.send_input("echo $VAR\n").await?;

    let info = handle
        .resize(PtySize {
            rows: 40,
            cols: 150,
        })
        .await?;
    println!("Resized to {}x{}", info.cols, info.rows);
    for session in process.list_pty_sessions().await? {
        println!(
            "Session {}: active={}, created={:?}",
            session.id, session.active, session.created_at
        );
    }
    handle.disconnect();

    let mut handle = process.connect_pty_session("my-pty").await?;
    handle.send_input("stty size; exit 7\n").await?;
    let result = handle
        .wait(|bytes: Bytes| print!("{}", String::from_utf8_lossy(&bytes)))
        .await?;
    println!("exit code {:?}", result.exit_code);
    Ok(())
}
