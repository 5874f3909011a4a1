//! Responses to requests with an `Idempotency-Key`, which are sent again for the same request.
//!
//! The operations themselves remember their results by key, over both protocols. This module adds the guarantee of HTTP, for
//! every `POST`: the same response, byte by byte, be it a refusal with its time or the response to a request that leaves no
//! object to look up, such as input. The first request is carried out to its end even if its connection is cut.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Either};
use sandbox_wire::ErrorCode;

use super::call::{Call, Handler, IDEMPOTENCY_KEY, Responded};
use super::error::ApiError;
use super::response::{Body, whole_body};
use super::texts::Object;
use crate::limits::{REQUEST_KEY_BYTES, RETAINED_RESPONSE_BYTES, RETAINED_RESPONSES, RETENTION};
use crate::service::{Bounds, Claim, Keys, Place};

/// The recent responses, by the keys of their requests.
#[derive(Debug)]
pub(crate) struct Replays(Keys<String, Response<Kept>>);

/// The body of a response that can be sent again.
#[derive(Debug, Clone)]
enum Kept {
    Whole(Bytes),
    /// Created anew each time; it holds the records of its outputs meanwhile.
    Object(Object),
}

impl Kept {
    fn body(&self) -> Body {
        match self {
            Self::Whole(whole) => whole_body(whole.clone()),
            Self::Object(object) => object.body(),
        }
    }

    fn weight(&self) -> u64 {
        match self {
            Self::Whole(whole) => whole.len() as u64,
            Self::Object(object) => object.weight(),
        }
    }
}

impl Replays {
    pub(crate) fn new() -> Self {
        Self(Keys::new(Bounds {
            count: RETAINED_RESPONSES,
            bytes: RETAINED_RESPONSE_BYTES,
            age: Some(RETENTION),
        }))
    }

    /// Passes `call` to `handler`, or sends the response that the same request had before.
    ///
    /// Requests without a key, and those with a method other than `POST`, are always passed to the handler.
    pub(crate) async fn respond(&self, mut call: Call, handler: Handler) -> Responded {
        let key = match call.parts.headers.get(IDEMPOTENCY_KEY) {
            Some(value) if call.parts.method == Method::POST => read_key(value)?,
            _ => return handler(call).await,
        };
        // A part of what has to be equal, so that it is read before anything is claimed.
        let body = call.whole_body().await?;
        let uri = call.parts.uri.path_and_query().map(ToString::to_string);
        match self.0.claim(self.0.request(key, (uri, body)), Some).await? {
            // In a task: the connection may be cut, and then the response is for the next request.
            Claim::New(place) => tokio::spawn(run(place, call, handler))
                .await
                .map_err(ApiError::internal)?,
            Claim::Known(response) => {
                let mut response = response.map(|kept| kept.body());
                let replayed = HeaderValue::from_static("true");
                response.headers_mut().insert(REPLAYED, replayed);
                Ok(response)
            }
        }
    }
}

/// Carries out a request, and retains the response if it is final.
async fn run(place: Place<String, Response<Kept>>, call: Call, handler: Handler) -> Responded {
    let (method, path) = (call.parts.method.clone(), call.parts.uri.path().to_owned());
    let response = match handler(call).await {
        Ok(response) => response,
        Err(error) => error.into_response(Some(&method), &path),
    };
    let not_now = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    // The next request with the key tries again: the claim ends when `place` is dropped.
    if not_now.contains(&response.status()) {
        return Ok(response);
    }
    let (mut head, body) = response.into_parts();
    let kept = match (head.extensions.remove(), body) {
        (Some(object), _) => Kept::Object(object),
        (None, Either::Left(whole)) => match whole.collect().await {
            Ok(body) => Kept::Whole(body.to_bytes()),
            Err(never) => match never {},
        },
        // A streamed response has no complete body to retain.
        (None, streamed) => return Ok(Response::from_parts(head, streamed)),
    };
    let weight = kept.weight();
    let response = Response::from_parts(head, kept);
    let sent = response.clone().map(|kept| kept.body());
    place.fill(response, weight);
    Ok(sent)
}

fn read_key(value: &HeaderValue) -> Result<String, ApiError> {
    let key = value.to_str().unwrap_or_default();
    match key.len() {
        1..=REQUEST_KEY_BYTES => Ok(key.to_owned()),
        _ => Err(ApiError::new(
            ErrorCode::BadRequest,
            format!("an Idempotency-Key has 1 to {REQUEST_KEY_BYTES} visible ASCII characters"),
        )),
    }
}

/// The header on responses that were sent before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    type Claimed = Result<Claim<String, Response<Kept>, Response<Kept>>, crate::service::Error>;

    fn claim(replays: &Replays, key: impl ToString) -> Claimed {
        let claimed = replays.0.claim(replays.0.request(key.to_string(), 1), Some);
        claimed
            .now_or_never()
            .expect("no other request has this key")
    }

    fn keep(replays: &Replays, key: impl ToString, length: u64) {
        let Ok(Claim::New(place)) = claim(replays, key) else {
            panic!("the key is known")
        };
        place.fill(Response::new(Kept::Whole(Bytes::new())), length);
    }

    fn is_known(replays: &Replays, key: &str) -> bool {
        matches!(claim(replays, key), Ok(Claim::Known(_)))
    }

    #[test]
    fn the_oldest_responses_are_forgotten() {
        let replays = Replays::new();
        keep(&replays, "a", RETAINED_RESPONSE_BYTES / 2);
        keep(&replays, "b", RETAINED_RESPONSE_BYTES / 2);
        assert!(is_known(&replays, "a") && is_known(&replays, "b"));
        keep(&replays, "c", 1);
        assert!(!is_known(&replays, "a") && is_known(&replays, "b") && is_known(&replays, "c"));
        for n in 0..RETAINED_RESPONSES {
            keep(&replays, n, 0);
        }
        assert!(is_known(&replays, "0") && !is_known(&replays, "b"));
        // A response that never fits is not retained.
        keep(&replays, "large", RETAINED_RESPONSE_BYTES + 1);
        assert!(!is_known(&replays, "large"));
    }

    #[test]
    fn requests_that_are_carried_out_are_never_forgotten() {
        let replays = Replays::new();
        let running: Vec<_> = (0..RETAINED_RESPONSES)
            .map(|n| claim(&replays, n))
            .collect();
        let refused = claim(&replays, "one more").err().map(|error| error.code());
        assert_eq!(refused, Some(ErrorCode::TooManyRequests));
        drop(running);
        assert!(matches!(claim(&replays, "one more"), Ok(Claim::New(_))));
    }
}
