//! Flow control of input that a daemon has not taken yet.

use tokio::sync::{Mutex, MutexGuard, watch};

/// A bound on the unacknowledged input, if the daemon reports one.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Bytes that were sent. A sender holds the lock, so that everything is sent in the order of the calls.
    sent: Mutex<u64>,
    room: watch::Sender<Room>,
}

/// The room that the daemon has for input.
#[derive(Debug, Default)]
struct Room {
    /// `None` if the daemon reports none.
    limit: Option<Limit>,
    /// Whether reading is paused, so that the daemon's reports cannot arrive.
    is_stalled: bool,
    has_ended: bool,
}

#[derive(Debug)]
struct Limit {
    window: u64,
    taken: u64,
    read: fn(&str) -> Option<u64>,
}

/// A sender's turn.
pub(super) struct Turn<'a> {
    sent: MutexGuard<'a, u64>,
    room: &'a watch::Sender<Room>,
}

impl Window {
    /// Waits for the earlier senders.
    pub(super) async fn turn(&self) -> Turn<'_> {
        Turn {
            sent: self.sent.lock().await,
            room: &self.room,
        }
    }

    pub(super) fn limit(&self, window: u64, read: fn(&str) -> Option<u64>) {
        self.room.send_modify(|room| {
            room.limit = Some(Limit {
                window,
                taken: 0,
                read,
            });
        });
    }

    /// Handles a text that reports what the daemon has taken; returns `false` for any other.
    pub(super) fn take(&self, text: &str) -> bool {
        self.room.send_if_modified(|room| {
            // Until a limit is set, every text is the consumer's, also one that reads like a
            // report.
            let Some(limit) = &mut room.limit else {
                return false;
            };
            let taken = (limit.read)(text);
            // A report that is lower than an earlier one must not take room back that was used.
            limit.taken = limit.taken.max(taken.unwrap_or_default());
            taken.is_some()
        })
    }

    /// Sets whether reading is paused. While it is, the daemon's reports are not waited for: the consumer may need to
    /// send before it reads again.
    pub(super) fn stall(&self, is_stalled: bool) {
        self.room.send_modify(|room| room.is_stalled = is_stalled);
    }
}

impl Turn<'_> {
    /// Waits until this many bytes may be sent, reading is paused, or the connection has ended. Cancel safe.
    pub(super) async fn room(&self, bytes: usize) {
        let end = *self.sent + bytes as u64;
        let has_room = |room: &Room| match &room.limit {
            // A piece that is longer than the window is sent alone.
            Some(limit) => end <= limit.taken + limit.window.max(bytes as u64),
            None => true,
        };
        let mut room = self.room.subscribe();
        // The sender is borrowed, so it exists.
        // `wait_for` checks the current value first, so that no report is missed between the two
        // lines.
        let _ = room
            .wait_for(|room| room.is_stalled || room.has_ended || has_room(room))
            .await;
    }

    pub(super) fn sent(mut self, bytes: usize) {
        *self.sent += bytes as u64;
    }
}

/// A guard that wakes the senders that wait for room when it is dropped: its connection has ended.
pub(super) struct Opened(pub(super) std::sync::Arc<Window>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.room.send_modify(|room| room.has_ended = true);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Waker};

    use super::*;

    async fn send(window: &Window, bytes: usize) {
        let turn = window.turn().await;
        turn.room(bytes).await;
        turn.sent(bytes);
    }

    /// Returns whether the polled future has sent its bytes; otherwise it waits for its turn.
    macro_rules! is_sent {
        ($sending:expr) => {
            $sending
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_ready()
        };
    }

    fn limited() -> Arc<Window> {
        let window = Arc::new(Window::default());
        window.limit(10, |text| text.parse().ok());
        window
    }

    #[test]
    fn what_is_under_way_is_bounded() {
        let window = limited();
        assert!(is_sent!(pin!(send(&window, 6))));
        let mut second = pin!(send(&window, 6));
        assert!(!is_sent!(second));
        // The order of the calls holds even for what would have room.
        let mut third = pin!(send(&window, 1));
        assert!(!is_sent!(third));
        assert!(!window.take("another text"));
        assert!(window.take("1"));
        assert!(!is_sent!(second));
        assert!(window.take("2"));
        assert!(is_sent!(second));
        assert!(!is_sent!(third));
        assert!(window.take("13"));
        assert!(is_sent!(third));
        // A piece that is longer than the window is sent alone.
        assert!(is_sent!(pin!(send(&window, 20))));
    }

    #[test]
    fn nothing_waits_for_reports_that_cannot_come() {
        let window = limited();
        assert!(is_sent!(pin!(send(&window, 10))));
        let mut stalled = pin!(send(&window, 1));
        assert!(!is_sent!(stalled));
        window.stall(true);
        assert!(is_sent!(stalled));
        window.stall(false);
        let mut lost = pin!(send(&window, 1));
        assert!(!is_sent!(lost));
        drop(Opened(Arc::clone(&window)));
        assert!(is_sent!(lost));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let window = Window::default();
        assert!(is_sent!(pin!(send(&window, 1 << 30))));
        assert!(!window.take("5"));
    }
}
