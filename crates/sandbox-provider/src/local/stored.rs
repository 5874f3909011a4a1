//! The states of a change: stored, and then published.

use std::sync::Arc;

use super::Inner;
use super::blocking::blocking;
use super::entry::Entry;
use super::store::{Durability, Written};
use crate::error::Error;
use crate::sandbox::{Sandbox, State};

impl Inner {
    /// Stores and publishes a state in which a change has not finished.
    pub(super) async fn step(&self, entry: &Entry, state: State) -> Result<(), Error> {
        let sandbox = entry.in_state(state, None);
        let saved = self.save(entry, &sandbox, Durability::Process).await;
        entry.publish(sandbox);
        saved
    }

    /// Stores and publishes the state in which a change has finished.
    pub(super) async fn settle(&self, entry: &Entry, state: State) -> Result<(), Error> {
        let sandbox = entry.in_state(state, None);
        let written = self.write(entry, &sandbox).await?;
        self.put(entry, written, sandbox).await
    }

    /// Stores what a change has done.
    pub(super) async fn save(
        &self,
        entry: &Entry,
        sandbox: &Sandbox,
        durability: Durability,
    ) -> Result<(), Error> {
        let (store, record) = (Arc::clone(&self.store), entry.record(sandbox));
        blocking(move || store.save(&record, durability)).await
    }

    /// Writes what a change that is on its way will have done, so that its end need not wait for the disk as long.
    pub(super) async fn write(&self, entry: &Entry, sandbox: &Sandbox) -> Result<Written, Error> {
        let (store, record) = (Arc::clone(&self.store), entry.record(sandbox));
        blocking(move || store.write(&record)).await
    }

    /// Stores and publishes what was written, when the change has finished.
    pub(super) async fn put(
        &self,
        entry: &Entry,
        written: Written,
        sandbox: Sandbox,
    ) -> Result<(), Error> {
        let store = Arc::clone(&self.store);
        blocking(move || store.put(written, Durability::Machine)).await?;
        entry.publish(sandbox);
        Ok(())
    }
}
