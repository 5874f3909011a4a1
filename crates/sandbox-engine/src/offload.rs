//! Calls that a file system can block forever, made on threads that may block.
//!
//! A call on the user's paths takes as long as the file system takes: forever on a network mount whose server does not
//! respond. The runtime has few threads, and none of them may wait for that.

use std::io;

use tokio::sync::Semaphore;

use crate::limits::{FILE_CALL, FILE_CALLS};

/// The calls at a time, including those for which no caller waits any longer: blocked calls leave threads for other work.
static CALLS: Semaphore = Semaphore::const_new(FILE_CALLS);

/// Runs `calls` on a thread that may block, and returns their result.
///
/// # Errors
///
/// Returns [`TimedOut`](io::ErrorKind::TimedOut) if they have not returned within [`FILE_CALL`], or could not be made because
/// [`FILE_CALLS`] others were under way for that long. Calls that were made continue, and their result is dropped.
pub(crate) async fn file_calls<T: Send + 'static>(
    calls: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    limited(&CALLS, calls).await
}

async fn limited<T: Send + 'static>(
    most: &'static Semaphore,
    calls: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let made = async {
        let permit = most.acquire().await.map_err(io::Error::other)?;
        let made = tokio::task::spawn_blocking(move || {
            let made = calls();
            // Not when the caller gives up: a call that is blocked still takes a thread.
            drop(permit);
            made
        });
        made.await.map_err(io::Error::other)
    };
    match tokio::time::timeout(FILE_CALL, made).await {
        Ok(made) => made,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the file system does not respond",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_held_are_not_waited_for_without_end() {
        static TWO: Semaphore = Semaphore::const_new(2);
        // Started one after the other: the paused clock does not advance by itself while a thread works.
        let mut held = Vec::new();
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let (hold, holds) = mpsc::channel::<()>();
            let (began, begins) = oneshot::channel();
            waiting.push(tokio::spawn(limited(&TWO, move || {
                began.send(()).unwrap();
                let _ = holds.recv();
            })));
            begins.await.unwrap();
            held.push(hold);
        }
        // There is no third thread for this one.
        waiting.push(tokio::spawn(limited(&TWO, || ())));
        tokio::task::yield_now().await;
        tokio::time::advance(FILE_CALL).await;
        for calls in waiting {
            let error = calls.await.unwrap().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
        drop(held);
        assert_eq!(limited(&TWO, || 7).await.unwrap(), 7);
    }
}
