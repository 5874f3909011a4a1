//! SSH accesses of sandboxes.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use sandbox_provider::Provider;
use sandbox_wire::ErrorCode;
use serde_json::json;
use uuid::Uuid;

use super::call::{Call, Responded};
use super::convert;
use crate::body::json;
use crate::error::ApiError;
use crate::limits::{SSH_ACCESS_AGE, SSH_ACCESS_DEFAULT_AGE, SSH_ACCESSES};

/// `POST /sandbox/{id}/ssh-access`: a token, and the command that uses it.
pub(super) async fn create<P: Provider>(call: &Call<'_, P>) -> Responded {
    let time = age(call.query("expiresInMinutes").as_deref())?;
    let id = call.sandbox().await?.id;
    let place = call.shared.ssh_place.as_ref().ok_or_else(|| {
        ApiError::not_implemented("this control plane was started without its SSH gateway")
    })?;
    let issued = call.shared.ssh.issue(&id, time);
    let token = issued.ok_or_else(|| {
        let message = format!("{SSH_ACCESSES} SSH accesses are valid; revoke some of them");
        ApiError::new(ErrorCode::TooManyRequests, message)
    })?;
    let address = place.address;
    let host = if address.ip().is_unspecified() {
        host(&call.base).to_owned()
    } else {
        address.ip().to_string()
    };
    let created = SystemTime::now();
    let now = convert::time(created);
    let body = json!({
        "id": Uuid::new_v4().to_string(),
        "sandboxId": id.as_str(),
        "token": token,
        "expiresAt": convert::time(created + time),
        "createdAt": now,
        "updatedAt": now,
        "sshCommand": format!("ssh -p {} {token}@{host}", address.port()),
        // *Extension*: what OpenSSH's client shows when it connects for the first time.
        "hostKeyFingerprint": place.fingerprint,
    });
    json(StatusCode::OK, &body)
}

/// `DELETE /sandbox/{id}/ssh-access?token=`: invalidates a token, or all of the sandbox without one, and closes their connections.
pub(super) async fn revoke<P: Provider>(call: &Call<'_, P>) -> Responded {
    let sandbox = call.sandbox().await?;
    let token = call.query("token").filter(|token| !token.is_empty());
    let Some(token) = token.or_else(|| misplaced(&call.parts.headers)) else {
        call.shared.ssh.forget(&sandbox.id);
        return call.respond(&sandbox);
    };
    if call.shared.ssh.revoke(&sandbox.id, &token) {
        call.respond(&sandbox)
    } else {
        let message = "there is no such SSH access of the sandbox, or it has expired";
        Err(ApiError::new(ErrorCode::NotFound, message))
    }
}

/// Returns a token in the header of the organization, where `revoke_ssh_access` of Daytona's Python SDK (0.226) sends it. The id of an
/// organization does not look like one.
fn misplaced(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-daytona-organization-id")?.to_str().ok()?;
    let is_token = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_token.then(|| value.to_owned())
}

/// `GET /sandbox/ssh-access/validate?token=`
pub(super) async fn validate<P: Provider>(call: &Call<'_, P>) -> Responded {
    let token = call.query("token").unwrap_or_default();
    let id = call.shared.ssh.sandbox(&token);
    let body = json!({
        "valid": id.is_some(),
        // A text in any case, as clients require it.
        "sandboxId": id.as_ref().map_or("", |id| id.as_str()),
    });
    json(StatusCode::OK, &body)
}

/// Returns how long an access is valid whose request has this number of minutes.
fn age(minutes: Option<&str>) -> Result<Duration, ApiError> {
    let Some(minutes) = minutes else {
        return Ok(SSH_ACCESS_DEFAULT_AGE);
    };
    // Clients send whole numbers as `5.0`, too.
    let seconds = minutes.parse::<f64>().ok().map(|minutes| minutes * 60.0);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = time.filter(|time| !time.is_zero() && *time <= SSH_ACCESS_AGE);
    time.ok_or_else(|| {
        let most = SSH_ACCESS_AGE.as_secs() / 60;
        ApiError::bad(format!("expiresInMinutes is more than 0, up to {most}"))
    })
}

/// Returns the host of a URL of this server.
fn host(base: &str) -> &str {
    let authority = base.split("://").nth(1).unwrap_or(base);
    let authority = authority.split('/').next().unwrap_or(authority);
    match authority.split_once(']') {
        Some((host, _)) => host.trim_start_matches('['),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_numbers_up_to_a_day() {
        let check = |minutes: Option<&str>, expect: Option<u64>| {
            let found = age(minutes).ok().map(|age| age.as_secs());
            assert_eq!(found, expect, "{minutes:?}");
        };
        check(None, Some(3600));
        check(Some("5"), Some(300));
        check(Some("0.5"), Some(30));
        check(Some("1440.0"), Some(24 * 3600));
        for refused in ["", "0", "-1", "1441", "NaN", "inf", "1e300", "x"] {
            check(Some(refused), None);
        }
    }

    #[test]
    fn a_token_in_the_place_of_an_organization_is_found() {
        let check = |value: Option<&str>, is_token: bool| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert("x-daytona-organization-id", value.parse().unwrap());
            }
            let found = misplaced(&headers);
            assert_eq!(found.as_deref(), value.filter(|_| is_token), "{value:?}");
        };
        check(None, false);
        check(Some(""), false);
        check(Some(&crate::expiring::random()), true);
        check(Some("8a19df5b-5739-4cf5-9d5a-9b59480a808e"), false);
    }

    #[test]
    fn hosts_are_those_of_urls() {
        for (base, expect) in [
            ("http://127.0.0.1:3986", "127.0.0.1"),
            ("https://plane.example/x", "plane.example"),
            ("http://[::1]:80", "::1"),
        ] {
            assert_eq!(host(base), expect);
        }
    }
}
