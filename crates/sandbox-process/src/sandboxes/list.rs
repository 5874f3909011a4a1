//! Lists of sandboxes.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use sandbox_transport::{ControlPlane, Error};

use super::sandbox::Sandbox;

/// The list of sandboxes; made by [`Sandboxes::list`](crate::Sandboxes::list). Await it: the result is a `Vec` of [`Sandbox`].
///
/// # Cancel safety
///
/// Cancel safe: nothing changes.
///
/// # Errors
///
/// Those of [`Sandboxes::get`](crate::Sandboxes::get), and an error of kind [`TooLarge`](crate::ErrorKind::TooLarge) if the
/// list has more than 1000 pages.
#[derive(Debug, Clone)]
#[must_use = "nothing is asked for before it is awaited"]
pub struct ListSandboxes {
    control: ControlPlane,
    labels: BTreeMap<String, String>,
}

impl ListSandboxes {
    pub(super) fn new(control: ControlPlane) -> Self {
        Self {
            control,
            labels: BTreeMap::new(),
        }
    }

    /// Lists only sandboxes that have this label. Of several, a sandbox has all.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    async fn listed(self) -> Result<Vec<Sandbox>, Error> {
        let mut sandboxes = Vec::new();
        for info in self.control.list_all(&self.labels).await? {
            sandboxes.push(Sandbox::new(self.control.clone(), info).await?);
        }
        Ok(sandboxes)
    }
}

impl IntoFuture for ListSandboxes {
    type Output = Result<Vec<Sandbox>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.listed())
    }
}
