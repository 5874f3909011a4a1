//! Sessions: state that stays, live logs, input.
//!
//! `cargo run -p sandbox-process --features embedded --example sessions`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use sandbox_process::{Process, SessionExecuteRequest};

#[tokio::main]
async fn main() -> Result<(), sandbox_process::Error> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), sandbox_process::Error> {
    let session_id = "my-session";
    process.create_session(session_id).await?;

    process
        .execute_session_command(session_id, "cd /tmp; NAME=you".into())
        .await?;
    let result = process
        .execute_session_command(session_id, "pwd; echo $NAME".into())
        .await?;
    println!("stdout: {:?}, stderr: {:?}", result.stdout, result.stderr);

    let request = SessionExecuteRequest {
        run_async: true,
        ..SessionExecuteRequest::new(
            "read x; for i in 1 2 3; do echo $x $i; sleep 0.1; done; echo done >&2",
        )
    };
    let id = process
        .execute_session_command(session_id, request)
        .await?
        .cmd_id;
    process
        .send_session_command_input(session_id, &id, "hello")
        .await?;
    process
        .get_session_command_logs_async(
            session_id,
            &id,
            |log: String| print!("[STDOUT]: {log}"),
            async |log: String| print!("[STDERR]: {log}"),
        )
        .await?;

    let command = process.get_session_command(session_id, &id).await?;
    if command.exit_code == Some(0) {
        println!("{} completed successfully", command.command);
    }
    for session in process.list_sessions().await? {
        println!(
            "Session {}: {} commands",
            session.session_id,
            session.commands.len()
        );
    }
    process.delete_session(session_id).await?;
    Ok(())
}
