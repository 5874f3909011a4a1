//! URLs of previews.

use std::time::Duration;

use http::StatusCode;
use sandbox_provider::Provider;
use sandbox_wire::ErrorCode;
use serde_json::json;

use super::{Call, Responded};
use crate::body::{empty, json};
use crate::error::ApiError;
use crate::limits::{SIGNED_PREVIEW_AGE, SIGNED_PREVIEW_DEFAULT_AGE, SIGNED_PREVIEWS};

pub(super) async fn url<P: Provider>(call: &Call<'_, P>) -> Responded {
    let port = port(call)?;
    let id = call.sandbox().await?.id;
    let token = call.shared.previews.token(&id);
    let url = preview_url(&call.base, id.as_str(), port);
    json(
        StatusCode::OK,
        &json!({"sandboxId": id.as_str(), "url": url, "token": token}),
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
        &json!({"sandboxId": id.as_str(), "port": port, "token": token, "url": url}),
    )
}

pub(super) async fn expire<P: Provider>(call: &Call<'_, P>) -> Responded {
    let port = port(call)?;
    let id = call.sandbox().await?.id;
    match call
        .shared
        .previews
        .expire(&id, port, call.parameter("token"))
    {
        true => Ok(empty(StatusCode::OK)),
        false => {
            let message = "there is no such signed URL, or it has expired";
            Err(ApiError::new(ErrorCode::NotFound, message))
        }
    }
}

/// Returns the URL of a preview by the id of a sandbox, or by a signed token. By path: the names of hosts below `localhost` are unknown
/// to the resolvers of many programs.
fn preview_url(base: &str, by: &str, port: u16) -> String {
    format!("{base}/preview/{by}/{port}")
}

fn port<P: Provider>(call: &Call<'_, P>) -> Result<u16, ApiError> {
    match call.number("port")? {
        0 => Err(ApiError::bad("a port is a number from 1 to 65535")),
        port => Ok(port),
    }
}
