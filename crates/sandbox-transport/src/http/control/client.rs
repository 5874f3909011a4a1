//! The client of a control plane.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sandbox_wire::rest;

use super::convert::{self, NEVER, minutes};
use crate::http::HttpTransport;
use crate::http::call::Call;
use crate::http::path::{add_query, path};
use crate::limits::{SANDBOX_PAGES, SANDBOX_RESPONSE_TIMEOUT};
use crate::model::{PreviewUrl, SandboxInfo, SandboxPage, SandboxRequest};
use crate::{
    CallOptions, Delivery, Effect, Endpoint, Error, ErrorKind, ProcessApi, TransportBuilder,
};

/// A client of a control plane of Daytona's API: this project's or another one. Cheap to clone.
///
/// It is built by [`TransportBuilder::build_control`], with a URL that ends in `/api`. The settings of the builder, such as its
/// token, hold for the daemons of the sandboxes as well, as with the official SDKs.
///
/// Sandboxes are named by their id; where a method takes a `sandbox`, their name works as well.
///
/// # Errors
///
/// Every method returns an error of kind [`NotFound`](ErrorKind::NotFound) if the sandbox does not exist, of kind
/// [`Conflict`](ErrorKind::Conflict) if its name is in use or its state does not allow the operation, of kind
/// [`Unsupported`](ErrorKind::Unsupported) if the control plane does not have the operation, and those of every request.
#[derive(Clone)]
pub struct ControlPlane {
    http: HttpTransport,
    settings: TransportBuilder,
    /// The transport of the toolbox that was used last: all sandboxes of a region have the same one.
    toolbox: Arc<Mutex<Option<HttpTransport>>>,
}

impl ControlPlane {
    pub(crate) fn new(settings: TransportBuilder) -> Result<Self, Error> {
        Ok(Self {
            http: settings.clone().build_http()?,
            settings,
            toolbox: Arc::default(),
        })
    }

    /// Returns the URL.
    pub fn endpoint(&self) -> &Endpoint {
        self.http.endpoint()
    }

    /// Returns the same client with other options for each operation.
    #[must_use]
    pub fn with_options(&self, options: CallOptions) -> Self {
        Self {
            http: self.http.with_call_options(options),
            ..self.clone()
        }
    }

    /// Creates a sandbox and starts it. It may still be starting when the response comes.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn create(&self, request: SandboxRequest) -> Result<SandboxInfo, Error> {
        let call = Call::post("/sandbox").json(&convert::create(request))?;
        self.sandbox(call.deadline(SANDBOX_RESPONSE_TIMEOUT)).await
    }

    /// Returns a sandbox.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn get(&self, sandbox: &str) -> Result<SandboxInfo, Error> {
        self.sandbox(Call::get(path(&["sandbox", sandbox])?)).await
    }

    /// Returns a page of the sandboxes that have all these labels: the first one, or that of a cursor.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn list(
        &self,
        labels: &BTreeMap<String, String>,
        cursor: Option<&str>,
    ) -> Result<SandboxPage, Error> {
        let mut route = "/sandbox".to_owned();
        if !labels.is_empty() {
            let labels = serde_json::to_string(labels).map_err(|error| {
                let message = "the labels cannot be written as JSON";
                Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message).with_source(error)
            })?;
            add_query(&mut route, "labels", &labels);
        }
        if let Some(cursor) = cursor {
            add_query(&mut route, "cursor", cursor);
        }
        let received = self.http.fetch(Call::get(route)).await?;
        Ok(convert::page(received))
    }

    /// Returns all sandboxes that have all these labels.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`TooLarge`](ErrorKind::TooLarge) if there are more pages than
    /// [`SANDBOX_PAGES`](crate::limits::SANDBOX_PAGES).
    pub async fn list_all(
        &self,
        labels: &BTreeMap<String, String>,
    ) -> Result<Vec<SandboxInfo>, Error> {
        let mut all = Vec::new();
        let mut cursor = None;
        // Bounded, since a control plane that always sends a cursor would never let this end.
        for _ in 0..SANDBOX_PAGES {
            let page = self.list(labels, cursor.as_deref()).await?;
            all.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(all);
            }
        }
        let message = format!("the list of sandboxes has more than {SANDBOX_PAGES} pages");
        Err(Error::new(ErrorKind::TooLarge, Delivery::Rejected, message))
    }

    /// Starts a sandbox that is stopped or paused. It may still be starting when the response comes.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn start(&self, sandbox: &str) -> Result<SandboxInfo, Error> {
        self.change(&[sandbox, "start"]).await
    }

    /// Ends all processes of a sandbox; its files remain.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn stop(&self, sandbox: &str) -> Result<SandboxInfo, Error> {
        self.change(&[sandbox, "stop"]).await
    }

    /// Kills all processes of a sandbox; its files remain.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn kill(&self, sandbox: &str) -> Result<SandboxInfo, Error> {
        let mut route = path(&["sandbox", sandbox, "stop"])?;
        add_query(&mut route, "force", "true");
        let call = Call::post(route).effect(Effect::Idempotent);
        self.sandbox(call.deadline(SANDBOX_RESPONSE_TIMEOUT)).await
    }

    /// Freezes all processes of a sandbox until it is started.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn pause(&self, sandbox: &str) -> Result<SandboxInfo, Error> {
        self.change(&[sandbox, "pause"]).await
    }

    /// Deletes a sandbox with everything that it has.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn delete(&self, sandbox: &str) -> Result<(), Error> {
        let call = Call::delete(path(&["sandbox", sandbox])?);
        self.http
            .command(call.deadline(SANDBOX_RESPONSE_TIMEOUT))
            .await
    }

    /// Replaces all labels of a sandbox.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn set_labels(
        &self,
        sandbox: &str,
        labels: BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let call = Call::put(path(&["sandbox", sandbox, "labels"])?);
        let call = call.json(&rest::SandboxLabels { labels })?;
        self.http.command(call).await
    }

    /// Sets how long a sandbox may be idle until it is stopped; `None` means that it never is.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn set_auto_stop(
        &self,
        sandbox: &str,
        after: Option<Duration>,
    ) -> Result<SandboxInfo, Error> {
        let minutes = after.map_or(0, minutes).to_string();
        self.change(&[sandbox, "autostop", &minutes]).await
    }

    /// Sets how long a sandbox may be stopped until it is deleted; `None` means that it never is.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn set_auto_delete(
        &self,
        sandbox: &str,
        after: Option<Duration>,
    ) -> Result<SandboxInfo, Error> {
        let minutes = after.map_or(NEVER, minutes).to_string();
        self.change(&[sandbox, "autodelete", &minutes]).await
    }

    /// Sets how long after its creation a sandbox is deleted; `None` means that it never is.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn set_ttl(
        &self,
        sandbox: &str,
        after: Option<Duration>,
    ) -> Result<SandboxInfo, Error> {
        let minutes = after.map_or(0, minutes).to_string();
        self.change(&[sandbox, "ttl", &minutes]).await
    }

    /// Counts as an activity, so that a sandbox is not stopped for being idle.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn refresh_activity(&self, sandbox: &str) -> Result<(), Error> {
        let call = Call::post(path(&["sandbox", sandbox, "last-activity"])?);
        self.http.command(call.effect(Effect::Idempotent)).await
    }

    /// Returns the URL of a server that listens on a port in a sandbox, and the token that its requests need.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn preview_url(&self, sandbox: &str, port: u16) -> Result<PreviewUrl, Error> {
        let port = port.to_string();
        let route = path(&["sandbox", sandbox, "ports", &port, "preview-url"])?;
        let received = self.http.fetch(Call::get(route)).await?;
        Ok(convert::preview(received))
    }

    /// Returns a URL of such a server that contains a token, which is valid for a while, in whole seconds.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the change may or may not be made.
    ///
    /// # Errors
    ///
    /// Those of [`ControlPlane`].
    pub async fn signed_preview_url(
        &self,
        sandbox: &str,
        port: u16,
        valid: Duration,
    ) -> Result<PreviewUrl, Error> {
        let port = port.to_string();
        let mut route = path(&["sandbox", sandbox, "ports", &port, "signed-preview-url"])?;
        add_query(&mut route, "expiresInSeconds", &valid.as_secs().to_string());
        let received = self.http.fetch(Call::get(route)).await?;
        Ok(convert::preview(received))
    }

    /// Returns the transport of operations in a sandbox.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Protocol`](ErrorKind::Protocol) if the control plane reports a URL that cannot be used.
    pub async fn toolbox(&self, sandbox: &SandboxInfo) -> Result<Arc<dyn ProcessApi>, Error> {
        let url = match &*sandbox.toolbox_url {
            "" => self.toolbox_url(&sandbox.id).await?,
            url => url.to_owned(),
        };
        // Escaped, like an id of a caller: whatever the control plane sends, it is one segment.
        let id = path(&[&sandbox.id])?;
        let url = format!("{}{id}", url.trim_end_matches('/'));
        let endpoint = url.parse::<Endpoint>().map_err(|error| {
            let message = "the control plane reports a URL of the sandbox that cannot be used";
            Error::new(ErrorKind::Protocol, Delivery::NotSent, message).with_source(error)
        })?;
        // Connections are shared with the control plane if it has the toolbox as well, else among the sandboxes.
        let mut last = self.toolbox.lock().unwrap_or_else(PoisonError::into_inner);
        let beside = last.as_ref().unwrap_or(&self.http);
        let transport = beside.beside(endpoint, &self.settings)?;
        *last = Some(transport.clone());
        Ok(Arc::new(transport))
    }

    async fn toolbox_url(&self, id: &str) -> Result<String, Error> {
        let route = path(&["sandbox", id, "toolbox-proxy-url"])?;
        let received: rest::ToolboxProxyUrl = self.http.fetch(Call::get(route)).await?;
        Ok(received.url)
    }

    async fn change(&self, below: &[&str]) -> Result<SandboxInfo, Error> {
        // A second time the sandbox is in that state already, so that the request may be repeated.
        let route = path(&[&["sandbox"], below].concat())?;
        let call = Call::post(route).effect(Effect::Idempotent);
        self.sandbox(call.deadline(SANDBOX_RESPONSE_TIMEOUT)).await
    }

    async fn sandbox(&self, call: Call) -> Result<SandboxInfo, Error> {
        let received = self.http.fetch(call).await?;
        Ok(convert::sandbox(received))
    }
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane")
            .field("endpoint", self.endpoint())
            .finish_non_exhaustive()
    }
}
