//! Readers that come late, read slowly, or not at all.

use std::time::{Duration, Instant};

use sandbox_engine::Termination;
use sandbox_engine::limits::PTY_READER_PATIENCE;
use sandbox_engine::record::Piece;

use super::{Home, User};
use crate::guard::eventually;

#[tokio::test]
async fn a_terminal_needs_no_reader() {
    let home = Home::new();
    let pty = home.pty("t").await;
    pty.types("seq 1 1000000; touch done\n").await;
    let done = home.directory.path().join("done");
    eventually("it comes to its end", || done.exists()).await;
    pty.types("exit\n").await;
    pty.pty.ended().await;
    // The newest is still there.
    let mut late = User::of(pty.pty.clone());
    assert!(late.output.position() > 6_000_000);
    late.read_to_end().await;
    assert!(late.seen.len() > 900_000 && late.seen.len() <= 1024 * 1024);
    assert_eq!(late.missed, 0);
    let shown = String::from_utf8(late.seen).unwrap();
    assert!(shown.contains("\r\n999999\r\n1000000\r\n"));
}

#[tokio::test]
async fn a_late_reader_begins_between_characters_and_sequences() {
    let home = Home::with(|builder| builder.pty_ring_bytes(64 * 1024));
    let mut user = home.pty("t").await;
    user.types("stty -echo; for i in $(seq 1 20000); do printf '\\033[38;5;196m\\303\\251\\342\\202\\254'; done; exit\n")
        .await;
    user.read_to_end().await;
    for _ in 0..20 {
        let mut late = User::of(user.pty.clone());
        late.read_to_end().await;
        // Whole pieces leave the ring, of up to half its size.
        assert!(late.seen.len() > 30_000);
        let begins: [&[u8]; 3] = [
            b"\x1b[38;5;196m\xc3",
            "é€\x1b".as_bytes(),
            "€\x1b".as_bytes(),
        ];
        let begin = &late.seen[..16];
        assert!(
            begins.iter().any(|expect| begin.starts_with(expect)),
            "{begin:?}"
        );
    }
}

#[tokio::test]
async fn a_reader_may_go_on_where_another_ended() {
    let home = Home::new();
    let mut first = home.pty("t").await;
    first.types("stty -echo; echo one\n").await;
    first.until("one\r\n").await;
    let position = first.output.position() - first.seen.len() as u64;
    first.types("echo two; exit\n").await;
    first.read_to_end().await;
    let mut second = User::of(first.pty.clone());
    second.output = first.pty.output(Some(position)).unwrap();
    second.read_to_end().await;
    assert_eq!(second.seen, first.seen);
    let end = second.output.position();
    let mut at_end = first.pty.output(Some(end)).unwrap();
    assert_eq!(at_end.next().await, None);
    let error = first.pty.output(Some(end + 1)).unwrap_err();
    assert_eq!((error.offset, error.length), (end + 1, end));
}

#[tokio::test]
async fn a_query_is_asked_once() {
    let home = Home::new();
    let pty = home.pty("t").await.pty;
    let mut watches = User::of(pty.clone());
    watches.output = pty.watch(None).unwrap();
    watches
        .types("stty -echo; PS1=; printf 'begin\\033[6n\\033[31mred\\033]11;?\\033\\134end\\n'\n")
        .await;
    let query = "begin\x1b[6n\x1b[31mred\x1b]11;?\x1b\\end\r\n";
    // No client that could respond has been asked.
    watches.until(query).await;
    let mut first = User::of(pty.clone());
    first.until(query).await;
    let mut second = User::of(pty.clone());
    let asked = "begin\0\0\0\0\x1b[31mred\0\0\0\0\0\0\0\0end\r\n";
    second.until(asked).await;
    first.types("printf '\\033[6n.\\n'\n").await;
    for user in [&mut first, &mut second, &mut watches] {
        user.until("\x1b[6n.\r\n").await;
    }
    // Who goes on at an offset wants what stands there.
    let mut again = User::of(pty.clone());
    again.output = pty.output(Some(0)).unwrap();
    again.until(query).await;
    first.types("exit\n").await;
    first.read_to_end().await;
}

#[tokio::test]
async fn a_slow_reader_receives_its_gap() {
    let home = Home::with(|builder| builder.pty_ring_bytes(64 * 1024));
    let mut user = home.pty("t").await;
    let mut slow = User::of(user.pty.clone());
    user.types("stty -echo; PS1=; echo begin\n").await;
    slow.until("begin\r\n").await;
    user.types("seq 1 200000; exit\n").await;
    assert_eq!(user.read_to_end().await, Termination::Exited { code: 0 });
    slow.seen.clear();
    let from = slow.output.position();
    let Some(Piece::Gap { offset, length }) = slow.output.next().await else {
        panic!("no gap");
    };
    assert_eq!(offset, from);
    assert!(length > 1_000_000);
    slow.read_to_end().await;
    assert_eq!(slow.missed, 0, "told once");
    let end = slow.output.position();
    assert_eq!(end, offset + length + slow.seen.len() as u64);
    let shown = String::from_utf8(slow.seen).unwrap();
    let numbers = shown.lines().skip(1).map_while(|line| line.parse().ok());
    let numbers: Vec<u32> = numbers.collect();
    assert!(numbers.is_sorted_by(|a, b| a + 1 == *b));
    assert_eq!(numbers.last(), Some(&200_000));
}

#[tokio::test]
async fn keystrokes_interrupt_a_flood_that_one_client_does_not_read() {
    let home = Home::new();
    let mut user = home.pty("t").await;
    let _asleep = user.pty.output(None).unwrap();
    user.types("yes\n").await;
    user.until("y\r\ny\r\n").await;
    user.types("\u{3}").await;
    // The flood ends, and what comes after it is seen.
    user.types("echo fin; exit\n").await;
    user.until("^C").await;
    user.until("fin\r\n").await;
    user.read_to_end().await;
}

#[tokio::test]
async fn any_bytes_are_shown_as_they_are() {
    let home = Home::new();
    let mut user = home.pty("t").await;
    let data: Vec<u8> = (0..500_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2])
        .collect();
    std::fs::write(home.directory.path().join("data"), &data).unwrap();
    user.types("stty -echo -opost; echo begin; cat data; exit\n")
        .await;
    user.until("begin\n").await;
    user.read_to_end().await;
    assert!(user.seen.starts_with(&data));
}

/// A reader that pauses often, but reads, receives every byte up to the end, which comes right after them.
#[tokio::test]
async fn a_slow_reader_that_reads_receives_everything() {
    let home = Home::with(|builder| builder.pty_ring_bytes(128 * 1024));
    let mut user = home.pty("t").await;
    user.types("stty -echo -opost; PS1=; echo begin; seq 1 200000; exit\n")
        .await;
    user.until("begin\n").await;
    // Attached, and does not read.
    let asleep = User::of(user.pty.clone());
    loop {
        match user.output.next().await {
            Some(Piece::Data { bytes, .. }) => user.seen.extend_from_slice(&bytes),
            Some(gap) => panic!("{gap:?}"),
            None => break,
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let expected: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    assert!(user.seen.starts_with(expected.as_bytes()));
    drop(asleep);
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_waited_for_a_while() {
    let home = Home::with(|builder| builder.pty_ring_bytes(128 * 1024));
    let user = home.pty("t").await;
    let started = Instant::now();
    user.types("seq 1 200000; touch done; seq 1 200000; exit\n")
        .await;
    let done = home.directory.path().join("done");
    eventually("it is no longer waited for", || done.exists()).await;
    assert!(started.elapsed() >= PTY_READER_PATIENCE);
    user.pty.ended().await;
}
