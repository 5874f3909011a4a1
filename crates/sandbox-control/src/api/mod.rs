//! The API: a table of routes below `/api`.

mod call;
mod convert;
pub(crate) mod create;
mod filter;
mod lifecycle;
pub(crate) mod list;
mod previews;
mod settings;
mod signing;
mod snapshots;
mod socket;
#[cfg(feature = "ssh")]
mod ssh;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use http::{Method, StatusCode};
use sandbox_daemon::doors::decode_segment;
use sandbox_provider::Provider;
use serde_json::json;

pub(crate) use self::call::Call;
use self::call::Responded;
use crate::body::json;
use crate::error::ApiError;

/// The table of routes.
pub(crate) struct Routes<P> {
    paths: matchit::Router<HashMap<Method, Route<P>>>,
}

/// Whether a route needs the key, and its handler.
type Route<P> = (Door, Handler<P>);

type Handler<P> = for<'a, 'b> fn(&'a mut Call<'b, P>) -> Answer<'a>;

type Answer<'a> = Pin<Box<dyn Future<Output = Responded> + Send + 'a>>;

/// The authorization that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// None.
    Anybody,
    /// The key.
    Key,
}

macro_rules! table {
    ($($method:ident $path:literal $door:ident $handler:path;)*) => {
        [$((Method::$method, $path, Door::$door, (|call| Box::pin($handler(call))) as Handler<P>)),*]
    };
}

impl<P: Provider> Routes<P> {
    pub(crate) fn new() -> Self {
        let table = table! {
            GET "config" Anybody config;
            GET "socket.io" Anybody socket::respond;
            POST "sandbox" Key create::create;
            GET "sandbox" Key list::list;
            GET "sandbox/paginated" Key list::pages;
            GET "sandbox/{id}" Key lifecycle::get;
            DELETE "sandbox/{id}" Key lifecycle::delete;
            POST "sandbox/{id}/start" Key lifecycle::start;
            POST "sandbox/{id}/stop" Key lifecycle::stop;
            POST "sandbox/{id}/pause" Key lifecycle::pause;
            POST "sandbox/{id}/fork" Key lifecycle::fork;
            POST "sandbox/{id}/recover" Key lifecycle::start;
            POST "sandbox/{id}/resize" Key settings::resize;
            GET "sandbox/{id}/toolbox-proxy-url" Key settings::toolbox_url;
            PUT "sandbox/{id}/labels" Key settings::labels;
            POST "sandbox/{id}/public/{value}" Key settings::public;
            POST "sandbox/{id}/autostop/{minutes}" Key settings::auto_stop;
            POST "sandbox/{id}/autodelete/{minutes}" Key settings::auto_delete;
            POST "sandbox/{id}/ttl/{minutes}" Key settings::ttl;
            POST "sandbox/{id}/ticket" Key previews::ticket;
            POST "sandbox/{id}/last-activity" Key settings::last_activity;
            POST "sandbox/{id}/network-settings" Key settings::network;
            GET "sandbox/{id}/signing-key" Key signing::key;
            POST "sandbox/{id}/signing-key/rotate" Key signing::rotate;
            GET "sandbox/{id}/ports/{port}/preview-url" Key previews::url;
            GET "sandbox/{id}/ports/{port}/signed-preview-url" Key previews::sign;
            POST "sandbox/{id}/ports/{port}/signed-preview-url/{token}/expire" Key previews::expire;
            GET "snapshots" Key snapshots::all;
            GET "snapshots/{id}" Key snapshots::get;
        };
        #[cfg(feature = "ssh")]
        let table = table.into_iter().chain(table! {
            POST "sandbox/{id}/ssh-access" Key ssh::create;
            DELETE "sandbox/{id}/ssh-access" Key ssh::revoke;
            GET "sandbox/ssh-access/validate" Key ssh::validate;
        });
        let mut paths = matchit::Router::<HashMap<Method, Route<P>>>::new();
        for (method, path, door, handler) in table {
            match paths.at_mut(path) {
                Ok(found) => drop(found.value.insert(method, (door, handler))),
                Err(_) => {
                    let methods = HashMap::from([(method, (door, handler))]);
                    let inserted = paths.insert(path, methods);
                    inserted.expect("the table's paths do not conflict; a test builds it");
                }
            }
        }
        Self { paths }
    }

    /// Responds to a request for a path below `/api/`.
    pub(crate) async fn respond(&self, call: &mut Call<'_, P>, path: &str) -> Responded {
        let path = path.strip_suffix('/').unwrap_or(path);
        let found = self.paths.at(path).ok();
        let found = found.and_then(|found| {
            let (door, handler) = found.value.get(&call.parts.method)?;
            let decode = |(name, value): (&str, &str)| (name.to_owned(), decode_segment(value));
            call.parameters = found.params.iter().map(decode).collect();
            Some((*door, *handler))
        });
        // Before the 501, which would show a client without the key which routes exist.
        if !matches!(found, Some((Door::Anybody, _))) {
            call.shared.authorize(&call.parts, &call.link)?;
        }
        match found {
            Some((_, handler)) => handler(call).await,
            None => {
                let method = &call.parts.method;
                let message = format!("this control plane does not serve {method} /api/{path}");
                Err(ApiError::not_implemented(message))
            }
        }
    }
}

/// `GET /config`, which clients read before they have a key.
async fn config<P: Provider>(call: &Call<'_, P>) -> Responded {
    let base = &call.base;
    let value = json!({
        "version": env!("CARGO_PKG_VERSION"),
        // A control plane with one key has no logins.
        "oidc": {"issuer": "", "clientId": "", "audience": "", "provider": ""},
        "linkedAccountsEnabled": false,
        "announcements": {},
        "proxyTemplateUrl": format!("{base}/preview/{{{{sandboxId}}}}/{{{{PORT}}}}"),
        "proxyToolboxUrl": format!("{base}/toolbox"),
        "defaultSnapshot": convert::DEFAULT_SNAPSHOT,
        "dashboardUrl": base,
        "maxAutoArchiveInterval": 0,
        "maintananceMode": false,
        "environment": "local",
    });
    json(StatusCode::OK, &value)
}
