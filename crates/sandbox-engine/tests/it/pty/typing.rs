//! Much that is typed, and what interrupts it.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Home, User};
use crate::guard::{PATIENCE, eventually, pid_of, unique_sleep};

/// Lines of a paste, so many bytes in all.
fn paste(bytes: usize) -> Bytes {
    let line = b"0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnop\n";
    line.iter().copied().cycle().take(bytes).collect()
}

#[tokio::test]
async fn a_paste_of_many_megabytes_arrives_whole() {
    let home = Home::new();
    let mut user = home.pty("t").await;
    user.types("stty -echo; echo ready; cat > pasted; echo got; exit\n")
        .await;
    user.until("ready\r\n").await;
    let text = paste(8 << 20);
    user.input.write(text.clone()).await.unwrap();
    user.types("\u{4}").await;
    user.until("got\r\n").await;
    let pasted = std::fs::read(home.directory.path().join("pasted")).unwrap();
    assert!(pasted == text, "{} bytes", pasted.len());
    user.read_to_end().await;
}

#[tokio::test]
async fn a_program_that_does_not_read_can_be_interrupted() {
    let home = Home::new();
    let mut user = home.pty("t").await;
    for size in [100, 5_000, 30_000, 200_000, 3 << 20] {
        let sleep = unique_sleep();
        user.types(&format!("sleep {sleep}\n")).await;
        eventually("it sleeps", || pid_of(&sleep).is_some()).await;
        user.input.write(paste(size)).await.unwrap();
        // Another's.
        let other = User::of(user.pty.clone());
        let begin = Instant::now();
        other.types("\u{3}").await;
        user.until("^C").await;
        user.types("echo code $?\n").await;
        user.until("code 130\r\n").await;
        assert!(begin.elapsed() < PATIENCE, "{size}");
        // None of the paste was taken for commands.
        user.types("echo then\n").await;
        let shown = user.until("\rthen\r\n").await;
        assert!(!shown.contains("not found"), "{shown:?}");
    }
    user.types("exit\n").await;
    user.read_to_end().await;
}

#[tokio::test]
async fn an_interrupt_is_typed_where_it_interrupts_nothing() {
    let home = Home::new();
    let mut user = home.pty("t").await;
    user.types("stty -echo raw; echo ready; head -c 5 > typed; stty sane; exit\n")
        .await;
    user.until("ready\n").await;
    user.types("a\u{3}\u{1a}\u{1c}b").await;
    user.read_to_end().await;
    let typed = std::fs::read(home.directory.path().join("typed")).unwrap();
    assert_eq!(typed, b"a\x03\x1a\x1cb");
}

#[tokio::test]
async fn a_client_that_pastes_without_end_waits_alone() {
    use sandbox_engine::limits::PTY_INPUT_BYTES;
    let home = Home::new();
    let mut user = home.pty("t").await;
    let sleep = unique_sleep();
    let line = format!("stty -echo; (trap : INT; sleep {sleep}; cat > /dev/null); exit\n");
    user.types(&line).await;
    eventually("it sleeps", || pid_of(&sleep).is_some()).await;
    let input = user.pty.input();
    let mut pasting = tokio::spawn(async move {
        for _ in 0..4 {
            input.write(paste(PTY_INPUT_BYTES / 2)).await.unwrap();
        }
    });
    let waited = tokio::time::timeout(Duration::from_millis(300), &mut pasting).await;
    assert!(waited.is_err(), "it did not wait");
    let other = user.pty.input();
    other.write("\u{3}".into()).await.unwrap();
    // What waited is forgotten, and the rest is read.
    pasting.await.unwrap();
    other.write("\u{3}".into()).await.unwrap();
    user.read_to_end().await;
}
