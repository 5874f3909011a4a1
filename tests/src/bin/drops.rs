//! A program that runs a command, lets go of it in one of several ways, and ends right after.
//!
//! `drops HOW FILE [URL TOKEN]`: the command writes its process ids to FILE. Without a URL the daemon is embedded. Prints
//! `dead` if the command's processes had ended when it had been let go of, else `alive`.

#![expect(
    clippy::exit,
    clippy::mem_forget,
    reason = "what happens without destructors is what is tested"
)]

use std::path::{Path, PathBuf};

use sandbox_process::{Error, Process};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (how, file) = (&*arguments[0], PathBuf::from(&arguments[1]));
    let daemon = arguments.get(2).zip(arguments.get(3));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime
        .block_on(run(how, &file, daemon))
        .expect("a daemon that runs commands");
}

async fn run(how: &str, file: &Path, daemon: Option<(&String, &String)>) -> Result<(), Error> {
    let process = match daemon {
        Some((url, token)) => Process::builder(url).token(token).build()?,
        None => Process::local().await?,
    };
    let path = file.display();
    let command = format!("sleep 1000 & echo $$ $! > {path}.new; mv {path}.new {path}; wait");
    let exec = process.exec(command);
    match how {
        "running" => {
            let running = exec.spawn().kill_on_drop().await?;
            began(file).await;
            drop(running);
        }
        "future" => {
            let run = async { exec.spawn().kill_on_drop().await?.wait().await };
            let mut run = Box::pin(run);
            tokio::select! {
                ended = &mut run => panic!("it has ended: {ended:?}"),
                () = began(file) => {}
            }
            drop(run);
        }
        "process" => {
            let running = exec.spawn().await?;
            began(file).await;
            drop((running, process));
            return report(file);
        }
        "leak" | "exit" | "abort" => {
            std::mem::forget(exec.spawn().await?);
            began(file).await;
        }
        other => panic!("no such way: {other}"),
    }
    let reported = report(file);
    match how {
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        // Nothing but the handle of the command is dropped.
        _ => std::mem::forget(process),
    }
    reported
}

/// Waits until the command runs.
async fn began(file: &Path) {
    while !file.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

#[expect(clippy::print_stdout, reason = "it is what this program is for")]
#[expect(clippy::unnecessary_wraps, reason = "the last step of what may fail")]
fn report(file: &Path) -> Result<(), Error> {
    let pids = std::fs::read_to_string(file).expect("it has begun");
    let is_alive = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the name of the program.
        !matches!(
            stat.rsplit(") ")
                .next()
                .and_then(|rest| rest.chars().next()),
            Some('Z' | 'X') | None
        )
    };
    let alive = pids.split_whitespace().any(is_alive);
    println!("{}", if alive { "alive" } else { "dead" });
    Ok(())
}
