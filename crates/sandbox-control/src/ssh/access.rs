//! Tokens of SSH accesses, and the connections that they have opened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sandbox_provider::SandboxId;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::expiring::Expiring;
use crate::limits::SSH_ACCESSES;
use crate::sync::lock;

/// The SSH accesses of all sandboxes. They are valid until they expire, are revoked, or the server ends.
#[derive(Debug)]
pub(crate) struct Accesses {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: Expiring<SandboxId>,
    open: HashMap<u64, Open>,
    next: u64,
}

/// A connection that a token has opened. It outlives the expiry of the token, and not its revocation.
#[derive(Debug)]
struct Open {
    token: String,
    id: SandboxId,
    close: Arc<watch::Sender<bool>>,
}

/// The place of an open connection among those of its sandbox, until it is dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    accesses: Arc<Accesses>,
    number: u64,
    id: SandboxId,
}

impl Accesses {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Mutex::new(State {
                tokens: Expiring::new(SSH_ACCESSES),
                open: HashMap::new(),
                next: 0,
            }),
        }
    }

    /// Returns a token for a sandbox, which is valid for this time; `None` if too many are valid.
    pub(crate) fn issue(&self, id: &SandboxId, time: Duration) -> Option<String> {
        self.state()
            .tokens
            .issue(self.clock.now(), time, id.clone())
    }

    /// Returns the sandbox of a token, if it is valid.
    pub(crate) fn sandbox(&self, token: &str) -> Option<SandboxId> {
        self.state().tokens.get(self.clock.now(), token).cloned()
    }

    /// Enters a connection under a token, if that is valid; `close` is set when the connection is to be closed.
    pub(crate) fn enter(
        self: &Arc<Self>,
        token: &str,
        close: Arc<watch::Sender<bool>>,
    ) -> Option<Entered> {
        let mut state = self.state();
        let id = state.tokens.get(self.clock.now(), token)?.clone();
        let number = state.next;
        state.next += 1;
        let open = Open {
            token: token.to_owned(),
            id: id.clone(),
            close,
        };
        state.open.insert(number, open);
        Some(Entered {
            accesses: Arc::clone(self),
            number,
            id,
        })
    }

    /// Invalidates a token of a sandbox and closes its connections; returns whether it was valid or had some.
    pub(crate) fn revoke(&self, id: &SandboxId, token: &str) -> bool {
        let mut state = self.state();
        let now = self.clock.now();
        let is_its = state.tokens.get(now, token) == Some(id);
        let was_valid = is_its && state.tokens.remove(now, token).is_some();
        let closed = state.close(|open| open.id == *id && open.token == token);
        was_valid || closed > 0
    }

    /// Invalidates all tokens of a sandbox, and closes their connections.
    pub(crate) fn forget(&self, id: &SandboxId) {
        let mut state = self.state();
        state.tokens.retain(|of| of != id);
        state.close(|open| open.id == *id);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// Asks connections to close, and returns their number.
    fn close(&self, is_meant: impl Fn(&Open) -> bool) -> usize {
        let mut count = 0;
        for open in self.open.values().filter(|open| is_meant(open)) {
            open.close.send_replace(true);
            count += 1;
        }
        count
    }
}

impl Entered {
    /// Returns the sandbox that the connection reaches.
    pub(crate) fn id(&self) -> &SandboxId {
        &self.id
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.accesses.state().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn accesses() -> (Arc<Accesses>, SandboxId) {
        (Arc::new(Accesses::new(Clock::new())), SandboxId::new("a"))
    }

    fn close() -> Arc<watch::Sender<bool>> {
        Arc::new(watch::Sender::new(false))
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_opens_connections_until_it_expires() {
        let (accesses, id) = accesses();
        let token = accesses.issue(&id, HOUR).unwrap();
        assert!(accesses.enter("another", close()).is_none());
        tokio::time::sleep(HOUR - Duration::from_secs(1)).await;
        let entered = accesses.enter(&token, close()).unwrap();
        assert_eq!(entered.id(), &id);
        assert_eq!(accesses.sandbox(&token), Some(id));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(accesses.enter(&token, close()).is_none());
        assert_eq!(accesses.sandbox(&token), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_revoked_token_closes_its_connections_and_no_others() {
        let (accesses, id) = accesses();
        let other = SandboxId::new("b");
        let token = accesses.issue(&id, HOUR).unwrap();
        let second = accesses.issue(&id, HOUR).unwrap();
        let (its, of_second) = (close(), close());
        let _its = accesses.enter(&token, Arc::clone(&its)).unwrap();
        let _second = accesses.enter(&second, Arc::clone(&of_second)).unwrap();
        assert!(!accesses.revoke(&other, &token));
        assert!(!*its.borrow());
        assert!(accesses.revoke(&id, &token));
        assert!(*its.borrow() && !*of_second.borrow());
        assert!(accesses.enter(&token, close()).is_none());
        assert!(accesses.enter(&second, close()).is_some());
        // One that has expired has a connection all the same.
        tokio::time::sleep(HOUR).await;
        assert!(accesses.revoke(&id, &second));
        assert!(*of_second.borrow());
        drop(_second);
        assert!(!accesses.revoke(&id, &second));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deleted_sandbox_has_no_tokens_and_no_connections() {
        let (accesses, id) = accesses();
        let other = SandboxId::new("b");
        let token = accesses.issue(&id, HOUR).unwrap();
        let kept = accesses.issue(&other, HOUR).unwrap();
        let its = close();
        let _its = accesses.enter(&token, Arc::clone(&its)).unwrap();
        accesses.forget(&id);
        assert!(*its.borrow());
        assert_eq!(accesses.sandbox(&token), None);
        assert_eq!(accesses.sandbox(&kept), Some(other));
    }

    #[tokio::test(start_paused = true)]
    async fn accesses_are_bounded() {
        let (accesses, id) = accesses();
        for _ in 0..SSH_ACCESSES {
            assert!(accesses.issue(&id, HOUR).is_some());
        }
        assert!(accesses.issue(&id, HOUR).is_none());
        tokio::time::sleep(HOUR).await;
        assert!(accesses.issue(&id, HOUR).is_some());
    }
}
