//! Sessions: state that remains, commands in the background, input.
//!
//! `cargo run -p sandbox-process --example sessions`

#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use sandbox_process::Process;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let process = Process::local().await?;
    run(&process).await?;
    process.shutdown().await;
    Ok(())
}

/// Works with any daemon, however it is reached.
pub(crate) async fn run(process: &Process) -> Result<(), Box<dyn std::error::Error>> {
    let session = process.create_session("my-session").await?;
    session.run("cd /tmp; NAME=you").await?;
    let outcome = session.run("pwd; echo $NAME").await?;
    print!("{}", outcome.stdout_lossy());

    let text = "read x; for i in 1 2 3; do echo $x $i; sleep 0.1; done; echo done >&2";
    let command = session.spawn(text).suppress_input_echo().await?;
    command.write_line("hello").await?;
    let end = command
        .wait_with(async |channel, bytes| println!("{channel}: {bytes:?}"))
        .await?;
    println!("exit code {:?}", end.exit_code());

    for session in process.list_sessions().await? {
        let count = session.commands.len();
        println!("Session {}: {count} commands", session.session_id);
    }
    session.delete().await?;
    Ok(())
}
