//! The limits of an engine's runs.

use std::sync::Arc;

use super::cgroup::Groups;
use super::confinement::Confinement;
use super::description::{Limit, Limits, Mechanism};
use super::error::LimitError;
use crate::offload::file_calls;

/// The limits for every run of an engine, and what enforces them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limiter {
    defaults: Limits,
    groups: Arc<Groups>,
}

/// The processes of ours among those of an isolated run: its launcher, and process 1 of its namespace.
const LAUNCHERS: u32 = 2;

impl Limiter {
    /// Creates a limiter for runs that have these limits at least.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError`] if one of them is out of range or cannot be enforced.
    pub(crate) fn new(defaults: Limits, groups: Groups) -> Result<Self, LimitError> {
        let defaults = defaults.within(&Limits::default())?;
        for limit in Limit::ALL {
            if defaults.get(limit).is_some() {
                groups.mechanism(limit)?;
            }
        }
        let groups = Arc::new(groups);
        Ok(Self { defaults, groups })
    }

    /// Makes what limits one run; costs nothing without limits.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError`] if a limit is out of range or cannot be enforced.
    pub(crate) async fn confine(
        &self,
        wanted: &Limits,
        is_isolated: bool,
    ) -> Result<Confinement, LimitError> {
        let limits = wanted.within(&self.defaults)?;
        if limits.is_empty() {
            return Ok(Confinement::default());
        }
        let groups = Arc::clone(&self.groups);
        let launchers = if is_isolated { LAUNCHERS } else { 0 };
        // It waits for locks of the kernel.
        let made = file_calls(move || groups.confine(&limits, launchers)).await;
        made.unwrap_or_else(|error| Err(LimitError::Join(Arc::new(error))))
    }

    /// Returns whether every run has a limit.
    pub(crate) fn limits_all(&self) -> bool {
        !self.defaults.is_empty()
    }

    /// Returns what enforces a limit; finds out with the first call.
    ///
    /// # Errors
    ///
    /// Returns [`LimitError::Unavailable`] if nothing does.
    pub(crate) fn mechanism(&self, limit: Limit) -> Result<Mechanism, LimitError> {
        self.groups.mechanism(limit)
    }
}
