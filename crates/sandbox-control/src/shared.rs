//! What all connections share.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::request::Parts;
use sandbox_daemon::Token;
use sandbox_daemon::doors::bearer;
use sandbox_provider::{Provider, SandboxId};
use sandbox_wire::ErrorCode;

use crate::activity::{Activity, Using};
use crate::clock::Clock;
use crate::error::ApiError;
use crate::events::Events;
use crate::keys::Keys;
use crate::link::Link;
use crate::preview::tokens::Previews;
use crate::tickets::Tickets;
use crate::timers::Timers;

/// What all connections of a server share.
pub(crate) struct Shared<P> {
    pub(crate) provider: Arc<P>,
    pub(crate) clock: Clock,
    pub(crate) activity: Arc<Activity>,
    pub(crate) timers: Timers,
    pub(crate) events: Events,
    pub(crate) previews: Previews,
    pub(crate) keys: Keys,
    pub(crate) tickets: Tickets,
    #[cfg(feature = "ssh")]
    pub(crate) ssh: Arc<crate::ssh::Accesses>,
    /// Where the SSH gateway is, if there is one.
    #[cfg(feature = "ssh")]
    pub(crate) ssh_place: Option<crate::ssh::Place>,
    pub(crate) auto_stop: Option<Duration>,
    key: Token,
}

impl<P: Provider> Shared<P> {
    pub(crate) fn new(
        auto_stop: Option<Duration>,
        key: Token,
        provider: Arc<P>,
        clock: Clock,
    ) -> Self {
        Self {
            provider,
            clock,
            activity: Arc::new(Activity::new(clock)),
            timers: Timers::new(clock),
            events: Events::new(),
            previews: Previews::new(clock),
            keys: Keys::new(clock),
            tickets: Tickets::new(clock),
            #[cfg(feature = "ssh")]
            ssh: Arc::new(crate::ssh::Accesses::new(clock)),
            #[cfg(feature = "ssh")]
            ssh_place: None,
            auto_stop,
            key,
        }
    }

    /// Begins a use of a sandbox by a request.
    ///
    /// # Errors
    ///
    /// Returns 409 while the sandbox is being stopped because it was idle: the request would be cut.
    pub(crate) fn enter(&self, id: &SandboxId) -> Result<Using, ApiError> {
        self.activity.enter(id).ok_or_else(|| {
            let message = format!("sandbox {id} was idle and is being stopped; start it first");
            ApiError::new(ErrorCode::Conflict, message).of_proxy()
        })
    }

    /// Checks that a request bears the key.
    ///
    /// # Errors
    ///
    /// Returns 401 if it does not.
    pub(crate) fn authorize(&self, parts: &Parts, link: &Link) -> Result<(), ApiError> {
        let message = match bearer(&parts.headers) {
            Some(presented) if self.key.matches(presented) => {
                link.admit();
                return Ok(());
            }
            Some(_) => "the key is not the right one",
            None => "a key is required: Authorization: Bearer KEY",
        };
        Err(ApiError::new(ErrorCode::Unauthorized, message))
    }

    /// Returns when the server began.
    pub(crate) fn began(&self) -> SystemTime {
        self.clock.began()
    }

    /// Returns whether this is the key.
    pub(crate) fn is_key(&self, presented: &str) -> bool {
        self.key.matches(presented)
    }
}

impl<P> fmt::Debug for Shared<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
