//! URLs of previews, and tickets for WebSockets.

use std::time::Duration;

use http::StatusCode;
use sandbox_provider::Provider;
use sandbox_wire::ErrorCode;
use serde_json::json;

use super::call::{Call, Responded};
use crate::body::{empty, json};
use crate::error::ApiError;
use crate::limits::{
    SIGNED_PREVIEW_AGE, SIGNED_PREVIEW_DEFAULT_AGE, SIGNED_PREVIEWS, TICKET_AGE, TICKETS,
};
use crate::tickets;

pub(super) async fn url<P: Provider>(call: &Call<'_, P>) -> Responded {
    let port = port(call)?;
    let id = call.sandbox().await?.id;
    let token = call.shared.previews.token(&id, port);
    let url = preview_url(&call.base, id.as_str(), port);
    json(
        StatusCode::OK,
        &json!({"sandboxId": id.as_str(), "url": url, "hostUrl": host_url(call, id.as_str(), port), "token": token}),
    )
}

pub(super) async fn sign<P: Provider>(call: &Call<'_, P>) -> Responded {
    let port = port(call)?;
    let time = match call.query("expiresInSeconds") {
        None => SIGNED_PREVIEW_DEFAULT_AGE,
        Some(text) => {
            let seconds = text.parse().ok().map(Duration::from_secs);
            let is_good = |time: &Duration| !time.is_zero() && *time <= SIGNED_PREVIEW_AGE;
            seconds.filter(is_good).ok_or_else(|| {
                let most = SIGNED_PREVIEW_AGE.as_secs();
                ApiError::bad(format!("expiresInSeconds is from 1 to {most}"))
            })?
        }
    };
    let id = call.sandbox().await?.id;
    let token = call.shared.previews.sign(&id, port, time).ok_or_else(|| {
        let message = format!("{SIGNED_PREVIEWS} signed URLs are valid; let some of them expire");
        ApiError::new(ErrorCode::TooManyRequests, message)
    })?;
    let url = preview_url(&call.base, &token, port);
    json(
        StatusCode::OK,
        &json!({"sandboxId": id.as_str(), "port": port, "token": token, "url": url, "hostUrl": host_url(call, &token, port)}),
    )
}

pub(super) async fn expire<P: Provider>(call: &Call<'_, P>) -> Responded {
    let port = port(call)?;
    let id = call.sandbox().await?.id;
    if call
        .shared
        .previews
        .expire(&id, port, call.parameter("token"))
    {
        Ok(empty(StatusCode::OK))
    } else {
        let message = "there is no such signed URL, or it has expired";
        Err(ApiError::new(ErrorCode::NotFound, message))
    }
}

/// *Extension*: a ticket, which opens one WebSocket of the sandbox's toolbox without the key. For browsers.
pub(super) async fn ticket<P: Provider>(call: &Call<'_, P>) -> Responded {
    let id = call.sandbox().await?.id;
    let ticket = call.shared.tickets.issue(&id).ok_or_else(|| {
        let message = format!("{TICKETS} tickets are valid; let some of them expire");
        ApiError::new(ErrorCode::TooManyRequests, message)
    })?;
    let protocol = format!("{}{ticket}", tickets::PREFIX);
    json(
        StatusCode::OK,
        &json!({"sandboxId": id.as_str(), "protocol": protocol, "expiresInSeconds": TICKET_AGE.as_secs()}),
    )
}

/// Returns the URL of a preview by the id of a sandbox, or by a signed token. By path: the names of hosts below `localhost` are unknown
/// to the resolvers of many programs.
fn preview_url(base: &str, by: &str, port: u16) -> String {
    format!("{base}/preview/{by}/{port}")
}

/// *Extension*: returns the URL by host, for browsers: there, a preview has an origin of its own. Only on this machine.
fn host_url<P: Provider>(call: &Call<'_, P>, by: &str, port: u16) -> Option<String> {
    let host = call.base.strip_prefix("http://")?;
    let (name, rest) = host.split_at(host.rfind(':').unwrap_or(host.len()));
    let is_local = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    is_local.then(|| format!("http://{port}-{by}.localhost{rest}"))
}

fn port<P: Provider>(call: &Call<'_, P>) -> Result<u16, ApiError> {
    match call.number("port")? {
        0 => Err(ApiError::bad("a port is a number from 1 to 65535")),
        port => Ok(port),
    }
}
