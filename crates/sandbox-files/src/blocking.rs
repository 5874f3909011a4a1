//! Calls that may block, on a bounded number of threads.

use std::io;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::Error;
use crate::limits::CALL_WAIT;

/// Makes calls that may block, no more at a time than it was made for. Clones share the bound.
#[derive(Debug, Clone)]
pub(crate) struct Blocking(Arc<Semaphore>);

impl Blocking {
    pub(crate) fn new(calls: usize) -> Self {
        Self(Arc::new(Semaphore::new(calls)))
    }

    /// Makes a call on a thread that may block. If the future is dropped, a call that has begun runs to its end.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let called = self.start(call).await?.await;
        called.unwrap_or_else(|error| Err(Error::Io(io::Error::other(error))))
    }

    /// Starts a call on a thread that may block, and does not wait for its end.
    pub(crate) async fn start<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>, Error> {
        let permit = timeout(CALL_WAIT, self.0.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(Error::Busy);
        };
        let call = move || {
            // Held by the call, not by its caller: the thread may be stuck for longer.
            let _permit = permit;
            call()
        };
        Ok(tokio::task::spawn_blocking(call))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;
    use crate::limits::CALLS;

    #[tokio::test(start_paused = true)]
    async fn calls_that_do_not_return_hold_a_bounded_number_of_threads() {
        let blocking = Blocking::new(CALLS);
        let mut held = Vec::new();
        for _ in 0..CALLS {
            let (release, stuck) = mpsc::channel::<()>();
            let (begin, has_begun) = tokio::sync::oneshot::channel();
            let blocking = blocking.clone();
            let caller = tokio::spawn(async move {
                let stuck = move || {
                    let _ = begin.send(());
                    let _ = stuck.recv();
                    Ok(())
                };
                blocking.call(stuck).await
            });
            has_begun.await.unwrap();
            // A call goes on although its caller has left.
            caller.abort();
            held.push(release);
        }
        let another = tokio::spawn({
            let blocking = blocking.clone();
            async move { blocking.call(|| Ok(())).await }
        });
        // The clock does not advance by itself while a thread blocks.
        tokio::task::yield_now().await;
        tokio::time::advance(CALL_WAIT).await;
        assert!(matches!(another.await.unwrap(), Err(Error::Busy)));
        drop(held);
        blocking.call(|| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn more_searches_than_may_run_wait() {
        let walks = Blocking::new(crate::limits::WALKS);
        let running = AtomicUsize::new(0);
        let running = Arc::new(running);
        let search = || {
            let running = running.clone();
            let walks = walks.clone();
            let search = move || {
                assert!(running.fetch_add(1, Ordering::SeqCst) < crate::limits::WALKS);
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            };
            async move { walks.call(search).await }
        };
        let searches: Vec<_> = (0..100).map(|_| tokio::spawn(search())).collect();
        for search in searches {
            search.await.unwrap().unwrap();
        }
    }
}
