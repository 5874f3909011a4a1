//! Tokens of previews.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use http::HeaderName;
use sandbox_daemon::doors::decode_segment;
use sandbox_provider::SandboxId;

use crate::clock::Clock;
use crate::expiring::{Expiring, random};
use crate::limits::SIGNED_PREVIEWS;
use crate::sync::lock;

/// The header with the token of a preview, and the query parameter where a header cannot be set.
pub(crate) const PREVIEW_TOKEN: HeaderName = HeaderName::from_static("x-daytona-preview-token");
pub(crate) const QUERY_TOKEN: &str = "DAYTONA_SANDBOX_AUTH_KEY";

/// The tokens by which previews are reached without the key. They are valid until the server ends.
#[derive(Debug)]
pub(crate) struct Previews {
    clock: Clock,
    tokens: Mutex<Tokens>,
}

#[derive(Debug)]
struct Tokens {
    /// The token of each sandbox, for all of its ports but [`TERMINAL_PORT`].
    of: HashMap<SandboxId, String>,
    /// The token of each sandbox for WebSockets of the toolbox, which run commands.
    terminals: HashMap<SandboxId, String>,
    signed: Expiring<Signed>,
}

/// What a signed URL is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) id: SandboxId,
    pub(crate) port: u16,
}

impl Previews {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            tokens: Mutex::new(Tokens {
                of: HashMap::new(),
                terminals: HashMap::new(),
                signed: Expiring::new(SIGNED_PREVIEWS),
            }),
        }
    }

    /// Returns the token for a port of a sandbox, which is the same until the server ends. That of [`TERMINAL_PORT`] is for the
    /// WebSockets of the toolbox; no other one opens these, because a preview is for people without the right to run anything.
    pub(crate) fn token(&self, id: &SandboxId, port: u16) -> String {
        let mut tokens = self.tokens();
        let tokens = match port {
            TERMINAL_PORT => &mut tokens.terminals,
            _ => &mut tokens.of,
        };
        tokens.entry(id.clone()).or_insert_with(random).clone()
    }

    /// Returns whether this is the token for WebSockets of a sandbox's toolbox.
    pub(crate) fn is_terminal_token(&self, id: &SandboxId, presented: &str) -> bool {
        let known = self.tokens().terminals.get(id).cloned();
        known.is_some_and(|known| same(&known, presented))
    }

    /// Returns whether this is the token for the previews of a sandbox.
    pub(crate) fn is_token(&self, id: &SandboxId, presented: &str) -> bool {
        let known = self.tokens().of.get(id).cloned();
        known.is_some_and(|known| same(&known, presented))
    }

    /// Signs a URL for one port, for some time; `None` if too many are valid.
    pub(crate) fn sign(&self, id: &SandboxId, port: u16, time: Duration) -> Option<String> {
        let signed = Signed {
            id: id.clone(),
            port,
        };
        self.tokens().signed.issue(self.clock.now(), time, signed)
    }

    /// Returns what a signed URL is for, if it is valid.
    pub(crate) fn signed(&self, token: &str) -> Option<Signed> {
        self.tokens().signed.get(self.clock.now(), token).cloned()
    }

    /// Invalidates a signed URL; returns whether it was valid for this port of this sandbox.
    pub(crate) fn expire(&self, id: &SandboxId, port: u16, token: &str) -> bool {
        let is_its = |signed: &Signed| signed.id == *id && signed.port == port;
        let is_its = self.signed(token).as_ref().is_some_and(is_its);
        is_its
            && self
                .tokens()
                .signed
                .remove(self.clock.now(), token)
                .is_some()
    }

    /// Invalidates all tokens of a sandbox.
    pub(crate) fn forget(&self, id: &SandboxId) {
        let mut tokens = self.tokens();
        tokens.of.remove(id);
        tokens.terminals.remove(id);
        tokens.signed.retain(|signed| signed.id != *id);
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(&self.tokens)
    }
}

/// The port by whose preview Daytona's SDK gets the token of its WebSockets in browsers; no server of a user listens on it.
pub(crate) const TERMINAL_PORT: u16 = 1;

/// Compares in constant time.
fn same(known: &str, presented: &str) -> bool {
    sandbox_daemon::Token::new(known).is_ok_and(|known| known.matches(presented))
}

/// Removes the token from a query, so that the sandbox does not learn it.
pub(crate) fn without_token(query: &str) -> String {
    let is_token = |pair: &&str| {
        // As its reader decodes it.
        let name = pair.split('=').next().unwrap_or_default();
        decode_segment(&name.replace('+', " ")) == QUERY_TOKEN
    };
    let rest: Vec<_> = query.split('&').filter(|pair| !is_token(pair)).collect();
    rest.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn signed_urls_are_valid_for_their_time_and_their_port() {
        let previews = Previews::new(Clock::new());
        let id = SandboxId::new("a");
        let token = previews.sign(&id, 80, Duration::from_secs(60)).unwrap();
        let signed = previews.signed(&token).unwrap();
        assert_eq!((signed.id, signed.port), (id.clone(), 80));
        assert!(!previews.expire(&id, 81, &token));
        assert!(!previews.expire(&SandboxId::new("b"), 80, &token));
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert!(previews.signed(&token).is_some());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(previews.signed(&token), None);
        assert!(!previews.expire(&id, 80, &token));

        let token = previews.sign(&id, 80, Duration::from_secs(60)).unwrap();
        assert!(previews.expire(&id, 80, &token));
        assert_eq!(previews.signed(&token), None);
    }

    #[tokio::test(start_paused = true)]
    async fn signed_urls_are_bounded() {
        let previews = Previews::new(Clock::new());
        let id = SandboxId::new("a");
        let minute = Duration::from_secs(60);
        for _ in 0..SIGNED_PREVIEWS {
            assert!(previews.sign(&id, 80, minute).is_some());
        }
        assert_eq!(previews.sign(&id, 80, minute), None);
        tokio::time::sleep(minute).await;
        assert!(previews.sign(&id, 80, minute).is_some());
    }

    #[test]
    fn the_token_of_a_sandbox_is_its_own() {
        let previews = Previews::new(Clock::new());
        let (one, other) = (SandboxId::new("a"), SandboxId::new("b"));
        assert!(!previews.is_token(&one, ""));
        let token = previews.token(&one, 80);
        assert_eq!(previews.token(&one, 81), token);
        let terminal = previews.token(&one, TERMINAL_PORT);
        assert!(!previews.is_token(&one, &terminal));
        assert!(!previews.is_terminal_token(&one, &token));
        assert!(previews.is_terminal_token(&one, &terminal));
        assert!(!previews.is_terminal_token(&other, &terminal));
        assert!(previews.is_token(&one, &token));
        assert!(!previews.is_token(&other, &token));
        previews.token(&other, 80);
        assert!(!previews.is_token(&other, &token) && !previews.is_token(&one, ""));
        let signed = previews.sign(&one, 80, Duration::from_secs(60)).unwrap();
        previews.forget(&one);
        assert!(!previews.is_token(&one, &token));
        assert!(!previews.is_terminal_token(&one, &terminal));
        assert_eq!(previews.signed(&signed), None);
    }
}
