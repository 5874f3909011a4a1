//! Tickets, by which a page in a browser opens a WebSocket of a sandbox.
//!
//! A browser sets no headers of a WebSocket, and a URL is no place for the key: it is logged, and stays in the history. A ticket is
//! requested with the key and offered as a subprotocol. It opens one WebSocket of one sandbox, within some seconds.

use std::sync::Mutex;

use http::{HeaderMap, HeaderValue, header};
use sandbox_provider::SandboxId;

use crate::clock::Clock;
use crate::expiring::Expiring;
use crate::limits::{TICKET_AGE, TICKETS};
use crate::sync::lock;

/// The tickets that were not used yet.
#[derive(Debug)]
pub(crate) struct Tickets {
    clock: Clock,
    entries: Mutex<Expiring<SandboxId>>,
}

impl Tickets {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            entries: Mutex::new(Expiring::new(TICKETS)),
        }
    }

    /// Returns a ticket for a sandbox; `None` if too many are valid.
    pub(crate) fn issue(&self, id: &SandboxId) -> Option<String> {
        let now = self.clock.now();
        let mut entries = lock(&self.entries);
        entries.issue(now, TICKET_AGE, id.clone())
    }

    /// Returns the sandbox of a ticket that is valid, and invalidates it.
    pub(crate) fn redeem(&self, ticket: &str) -> Option<SandboxId> {
        let now = self.clock.now();
        let mut entries = lock(&self.entries);
        entries.remove(now, ticket)
    }
}

/// Removes the tickets from the subprotocols that a request offers, so that the sandbox does not see them, and returns the first.
pub(crate) fn take(headers: &mut HeaderMap) -> Option<String> {
    let mut ticket = None;
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offered = offered.filter_map(|value| value.to_str().ok());
    let rest: Vec<_> = offered
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|offer| match offer.strip_prefix(PREFIX) {
            Some(found) => {
                ticket.get_or_insert_with(|| found.to_owned());
                false
            }
            None => true,
        })
        .collect();
    let rest = HeaderValue::from_str(&rest.join(", "));
    ticket.as_ref()?;
    headers.remove(header::SEC_WEBSOCKET_PROTOCOL);
    if let Ok(rest) = rest
        && !rest.is_empty()
    {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, rest);
    }
    ticket
}

/// What a ticket is offered with.
pub(crate) const PREFIX: &str = "sandbox.ticket.";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_ticket_is_valid_one_time_and_for_a_while() {
        let tickets = Tickets::new(Clock::new());
        let id = SandboxId::new("a");
        let ticket = tickets.issue(&id).unwrap();
        assert_eq!(tickets.redeem("another"), None);
        assert_eq!(tickets.redeem(&ticket), Some(id.clone()));
        assert_eq!(tickets.redeem(&ticket), None);
        let ticket = tickets.issue(&id).unwrap();
        tokio::time::sleep(TICKET_AGE - Duration::from_secs(1)).await;
        let later = tickets.issue(&id).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(tickets.redeem(&ticket), None);
        assert_eq!(tickets.redeem(&later), Some(id));
    }

    #[tokio::test(start_paused = true)]
    async fn tickets_are_bounded() {
        let tickets = Tickets::new(Clock::new());
        let id = SandboxId::new("a");
        for _ in 0..TICKETS {
            assert!(tickets.issue(&id).is_some());
        }
        assert_eq!(tickets.issue(&id), None);
        tokio::time::sleep(TICKET_AGE).await;
        assert!(tickets.issue(&id).is_some());
    }

    #[test]
    fn tickets_are_taken_from_what_is_offered() {
        let check = |offered: &[&str], expect: Option<&str>, rest: Option<&str>| {
            let mut headers = HeaderMap::new();
            for offer in offered {
                let offer = HeaderValue::from_str(offer).unwrap();
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, offer);
            }
            assert_eq!(take(&mut headers).as_deref(), expect, "{offered:?}");
            let left: Vec<_> = headers
                .get_all(header::SEC_WEBSOCKET_PROTOCOL)
                .iter()
                .collect();
            assert_eq!(left, rest.as_slice(), "{offered:?}");
        };
        check(&[], None, None);
        check(&["a, b"], None, Some("a, b"));
        check(&["sandbox.ticket.x"], Some("x"), None);
        check(&["a,sandbox.ticket.x , b"], Some("x"), Some("a, b"));
        check(
            &["a", "sandbox.ticket.x", "sandbox.ticket.y"],
            Some("x"),
            Some("a"),
        );
    }
}
