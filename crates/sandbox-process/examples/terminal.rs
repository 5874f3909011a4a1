//! A terminal: created, typed into, resized, left and attached to again.
//!
//! `cargo run -p sandbox-process --example terminal`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use sandbox_process::{Process, PtySize};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), Box<dyn std::error::Error>> {
    let create = process.create_pty("my-pty").cwd("/tmp").env("VAR", "value");
    let mut handle = create.size(PtySize::new(24, 80)?).await?;
    handle.write("echo $VAR\n").await?;
    handle.disconnect();

    let pty = process.pty("my-pty");
    let info = pty.resize(PtySize::new(40, 150)?).await?;
    println!("resized to {}x{}", info.cols, info.rows);
    for pty in process.list_ptys().await? {
        println!(
            "{}: active={}, created={:?}",
            pty.id, pty.active, pty.created_at
        );
    }

    let mut handle = pty.attach().await?;
    handle.write("stty size; exit 7\n").await?;
    let result = handle
        .wait_with(async |bytes| print!("{}", String::from_utf8_lossy(&bytes)))
        .await?;
    println!("exit code {:?}", result.exit_code);
    Ok(())
}
