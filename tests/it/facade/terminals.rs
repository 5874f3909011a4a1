//! Terminals.

use std::pin::Pin;

use futures_util::Stream;
use sandbox_process::{ErrorKind, Process, PtyEvent, PtyHandle, PtySize};
use sandbox_tests::Sandbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::PATIENCE;

/// Reads until `text` is shown.
async fn until(handle: &mut PtyHandle, text: &str) -> String {
    let mut shown = String::new();
    let read = async {
        while !shown.contains(text) {
            let bytes = handle.next().await.unwrap().expect("it ended");
            shown.push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, read).await;
    assert!(in_time.is_ok(), "no {text:?} in {shown:?}");
    shown
}

/// One whose shell reads nothing of this machine's user.
async fn plain(process: &Process) -> PtyHandle {
    let made = process.create_pty("t").env("HOME", "/nonexistent");
    made.await.unwrap()
}

async fn a_terminal_is_made_resized_left_and_found_again(sandbox: Sandbox) {
    let process = &sandbox.process;
    let mut handle = process
        .create_pty_session("my-pty")
        .cwd("/usr")
        .env("VAR", "value")
        .env("HOME", "/nonexistent")
        .pty_size(PtySize {
            rows: 30,
            cols: 100,
        })
        .await
        .unwrap();
    assert_eq!(handle.session_id(), "my-pty");
    assert!(handle.is_connected());
    handle.wait_for_connection().await.unwrap();
    handle
        .send_input("stty size; pwd; echo \"<$VAR>\"\n")
        .await
        .unwrap();
    let shown = until(&mut handle, "<value>\r\n").await;
    assert!(
        shown.contains("30 100\r\n") && shown.contains("/usr\r\n"),
        "{shown:?}"
    );

    let info = handle
        .resize(PtySize {
            rows: 40,
            cols: 150,
        })
        .await
        .unwrap();
    assert_eq!((info.rows, info.cols), (40, 150));
    let info = process.get_pty_session_info("my-pty").await.unwrap();
    assert_eq!((info.rows, info.cols, info.active), (40, 150, true));
    assert_eq!(process.list_pty_sessions().await.unwrap(), [info]);
    let taken = process.create_pty_session("my-pty").await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict, "{taken:?}");

    handle.disconnect();
    assert!(!handle.is_connected());
    assert_eq!(handle.next().await.unwrap(), None);
    let mut again = process.connect_pty_session("my-pty").await.unwrap();
    let shown = until(&mut again, "<value>\r\n").await;
    assert!(
        shown.contains("30 100\r\n"),
        "what it showed before: {shown:?}"
    );
    again.send_input("exit 7\n").await.unwrap();
    let mut rest = Vec::new();
    let result = again
        .wait(|bytes: bytes::Bytes| rest.extend_from_slice(&bytes))
        .await
        .unwrap();
    assert_eq!(result.exit_code, Some(7));
    assert_eq!((again.exit_code(), again.is_connected()), (Some(7), false));
    let gone = process.get_pty_session_info("my-pty").await.unwrap_err();
    assert!(gone.is_not_found(), "{gone:?}");
    sandbox.shutdown().await;
}
on_every_transport!(a_terminal_is_made_resized_left_and_found_again);

async fn a_terminal_is_killed(sandbox: Sandbox) {
    let mut handle = plain(&sandbox.process).await;
    handle.kill().await.unwrap();
    let result = handle.wait_with(async |_| {}).await.unwrap();
    assert_eq!(result.exit_code, Some(137));
    assert!(
        sandbox
            .process
            .kill_pty_session("t")
            .await
            .unwrap_err()
            .is_not_found()
    );
    let size = PtySize::default();
    sandbox
        .process
        .resize_pty_session("t", size)
        .await
        .unwrap_err();
    sandbox.shutdown().await;
}
on_every_transport!(a_terminal_is_killed);

async fn a_terminal_is_connected_to_where_it_was_left(sandbox: Sandbox) {
    let mut handle = plain(&sandbox.process).await;
    handle.send_input("echo $((40 + 2))\n").await.unwrap();
    let before = until(&mut handle, "42\r\n").await;
    let offset = handle.offset().expect("it was made by this connection");
    assert!(offset >= before.len() as u64 / 3, "{offset} of {before:?}");
    drop(handle);
    let attach = sandbox.process.pty("t").attach().offset(offset);
    let mut again = attach.await.unwrap();
    again.write("echo $((6 * 8)); exit 3\n").await.unwrap();
    let (mut shown, mut end) = (Vec::new(), None);
    while let Some(event) =
        std::future::poll_fn(|context| Pin::new(&mut again).poll_next(context)).await
    {
        match event.unwrap() {
            PtyEvent::Output { bytes } => shown.extend_from_slice(&bytes),
            PtyEvent::Exited { exit_code, .. } => end = exit_code,
            event => panic!("{event:?}"),
        }
    }
    let text = String::from_utf8_lossy(&shown);
    assert!(
        text.contains("48\r\n") && !text.contains("42\r\n"),
        "{text:?}"
    );
    assert_eq!((end, again.exit_code()), (Some(3), Some(3)));
    assert_eq!(again.offset(), Some(offset + shown.len() as u64));
    sandbox.shutdown().await;
}
on_every_transport!(a_terminal_is_connected_to_where_it_was_left);

async fn a_terminal_is_a_reader_and_a_writer(sandbox: Sandbox) {
    let handle = plain(&sandbox.process).await;
    let (mut shown, mut keyboard) = handle.into_io();
    keyboard
        .write_all(b"echo $((6 * 7)); exit\n")
        .await
        .unwrap();
    keyboard.flush().await.unwrap();
    let mut text = String::new();
    let read = shown.read_to_string(&mut text);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    assert!(text.contains("42\r\n"), "{text:?}");
    sandbox.shutdown().await;
}
on_every_transport!(a_terminal_is_a_reader_and_a_writer);
