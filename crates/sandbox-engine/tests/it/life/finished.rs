//! What a session retains of its finished commands.

use sandbox_engine::limits::FINISHED_COMMANDS;
use sandbox_engine::{CommandOptions, NoCommand, SessionOptions};

use crate::guard::{engine_with, pid_of, unique_sleep};
use crate::session::exited;

#[tokio::test]
async fn a_session_forgets_its_oldest_commands() {
    let engine = engine_with("/bin/dash");
    let session = engine.sessions().create("s", SessionOptions::default());
    let session = session.await.unwrap();
    let sleep = unique_sleep();
    let behind = session.execute(&format!("sleep {sleep} &"), CommandOptions::default());
    assert_eq!(behind.unwrap().ended().await, exited(0));
    let mut commands = Vec::new();
    for number in 0..FINISHED_COMMANDS + 2 {
        let options = CommandOptions {
            id: Some(number.to_string()),
            ..CommandOptions::default()
        };
        commands.push(session.execute(":", options).unwrap());
    }
    let last = commands.pop().unwrap();
    assert_eq!(last.ended().await, exited(0));
    assert_eq!(session.commands().len(), FINISHED_COMMANDS);
    assert_eq!(session.forgotten_commands(), 3);
    let find = |id: &str| session.command(id).map(|found| found.id().to_owned());
    assert_eq!(find("1"), Err(NoCommand::Forgotten));
    assert_eq!(find("2"), Ok("2".to_owned()));
    assert_eq!(find("no"), Err(NoCommand::Unknown));
    // A client that holds one still can read it, and its id is free.
    assert_eq!(commands[0].ended().await, exited(0));
    let options = CommandOptions {
        id: Some("0".to_owned()),
        ..CommandOptions::default()
    };
    let again = session.execute("(exit 3)", options).unwrap();
    assert_eq!(again.ended().await, exited(3));
    assert_eq!(find("0"), Ok("0".to_owned()));
    // What a forgotten command has left running is still the session's.
    assert!(pid_of(&sleep).is_some());
    engine.sessions().delete("s").await;
    assert!(pid_of(&sleep).is_none());
    engine.shutdown().await;
}
