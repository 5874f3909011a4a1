//! Requests that carry a name are carried out once.
//!
//! A client that lost a connection cannot know whether its command ran. If the request had an `Idempotency-Key`, it sends
//! the same one again: the first that comes is carried out, to its end even if its connection is cut, and every other gets
//! its answer.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Either};
use sandbox_wire::ErrorCode;
use tokio::sync::watch;

use super::call::{Call, Handler, IDEMPOTENCY_KEY};
use super::error::ApiError;
use crate::http::response::{Body, whole_body};
use crate::http::texts::Object;
use crate::limits::{KEPT_ANSWER_BYTES, KEPT_ANSWERS, KEPT_FOR, REQUEST_KEY_BYTES};

/// What was carried out lately, by its name. Clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Once {
    entries: Arc<Mutex<Entries>>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<String, Entry>,
    /// Those with an answer, oldest first.
    answered: VecDeque<(Instant, String)>,
    bytes: u64,
}

#[derive(Debug)]
struct Entry {
    /// Of the request: a name must not be used for another one.
    fingerprint: u64,
    /// Closed without a value when the answer is not kept.
    answer: watch::Receiver<Option<Kept>>,
    bytes: u64,
}

/// A response to be sent again.
#[derive(Debug, Clone)]
struct Kept {
    response: Response<KeptBody>,
}

#[derive(Debug, Clone)]
enum KeptBody {
    Whole(Bytes),
    /// Made anew each time; it holds the records of its outputs meanwhile.
    Object(Object),
}

impl KeptBody {
    fn body(&self) -> Body {
        match self {
            Self::Whole(whole) => whole_body(whole.clone()),
            Self::Object(object) => object.body(),
        }
    }

    fn length(&self) -> u64 {
        match self {
            Self::Whole(whole) => whole.len() as u64,
            Self::Object(object) => object.weight(),
        }
    }
}

/// On answers that were given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

impl Once {
    /// Has `handler` answer `call`, or gives the answer that it gave to the same request before.
    ///
    /// Requests without a name, and those that only ask, are answered anew each time.
    pub(crate) async fn answer(
        &self,
        mut call: Call,
        handler: Handler,
    ) -> Result<Response<Body>, ApiError> {
        let key = match call.parts.headers.get(IDEMPOTENCY_KEY) {
            Some(value) if call.parts.method == Method::POST => read_key(value)?,
            _ => return handler(call).await,
        };
        let body = call.whole_body().await?;
        let uri = call.parts.uri.path_and_query().map(ToString::to_string);
        let fingerprint = self.hasher.hash_one((uri, body));
        loop {
            let mut answer = match self.take(&key, fingerprint)? {
                Place::New(sender) => {
                    let entry = Running {
                        once: self.clone(),
                        key,
                        sender,
                    };
                    // In a task: the connection may be cut, and then the answer is for whoever asks again.
                    let task = tokio::spawn(entry.run(call, handler));
                    return task.await.map_err(ApiError::internal)?;
                }
                Place::Known(answer) => answer,
            };
            // An answer that was not kept, as when there was no room for the request, is sought anew.
            if let Ok(kept) = answer.wait_for(Option::is_some).await
                && let Some(kept) = &*kept
            {
                let mut response = kept.response.clone().map(|body| body.body());
                let replayed = HeaderValue::from_static("true");
                response.headers_mut().insert(REPLAYED, replayed);
                return Ok(response);
            }
        }
    }

    fn take(&self, key: &str, fingerprint: u64) -> Result<Place, ApiError> {
        let mut entries = self.entries();
        entries.forget();
        match entries.by_key.get(key) {
            Some(entry) if entry.fingerprint == fingerprint => {
                return Ok(Place::Known(entry.answer.clone()));
            }
            Some(_) => {
                let message = "this Idempotency-Key was the name of another request";
                return Err(ApiError::new(ErrorCode::Conflict, message));
            }
            None => {}
        }
        if entries.by_key.len() >= KEPT_ANSWERS {
            let message = "too many requests with an Idempotency-Key are being carried out";
            return Err(ApiError::new(ErrorCode::TooManyRequests, message));
        }
        let (sender, answer) = watch::channel(None);
        let entry = Entry {
            fingerprint,
            answer,
            bytes: 0,
        };
        entries.by_key.insert(key.to_owned(), entry);
        Ok(Place::New(sender))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Place {
    /// The first with this name, who tells the others.
    New(watch::Sender<Option<Kept>>),
    Known(watch::Receiver<Option<Kept>>),
}

/// A request that is being carried out. Dropped without an answer it is forgotten, and whoever waits is told.
struct Running {
    once: Once,
    key: String,
    sender: watch::Sender<Option<Kept>>,
}

impl Running {
    async fn run(self, call: Call, handler: Handler) -> Result<Response<Body>, ApiError> {
        let (method, path) = (call.parts.method.clone(), call.parts.uri.path().to_owned());
        let response = match handler(call).await {
            Ok(response) => response,
            Err(error) => error.into_response(Some(&method), &path),
        };
        let not_now = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        if not_now.contains(&response.status()) {
            return Ok(response);
        }
        let (mut head, body) = response.into_parts();
        let kept = match (head.extensions.remove(), body) {
            (Some(object), _) => KeptBody::Object(object),
            (None, Either::Left(whole)) => match whole.collect().await {
                Ok(body) => KeptBody::Whole(body.to_bytes()),
                Err(never) => match never {},
            },
            // What is sent as it comes has no end to be kept.
            (None, streamed) => return Ok(Response::from_parts(head, streamed)),
        };
        let response = Response::from_parts(head, kept);
        if response.body().length() <= KEPT_ANSWER_BYTES {
            self.keep(Kept {
                response: response.clone(),
            });
        }
        Ok(response.map(|kept| kept.body()))
    }

    fn keep(&self, kept: Kept) {
        let bytes = kept.response.body().length();
        let mut entries = self.once.entries();
        if let Some(entry) = entries.by_key.get_mut(&self.key) {
            entry.bytes = bytes;
            entries.bytes += bytes;
            let answered = (Instant::now(), self.key.clone());
            entries.answered.push_back(answered);
        }
        self.sender.send_replace(Some(kept));
        entries.forget();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.sender.borrow().is_none() {
            self.once.entries().by_key.remove(&self.key);
        }
    }
}

impl Entries {
    /// Forgets the oldest answers beyond the bounds.
    fn forget(&mut self) {
        while let Some((at, _)) = self.answered.front() {
            let is_over = self.bytes > KEPT_ANSWER_BYTES || self.answered.len() >= KEPT_ANSWERS;
            if !is_over && at.elapsed() < KEPT_FOR {
                return;
            }
            if let Some((_, key)) = self.answered.pop_front()
                && let Some(entry) = self.by_key.remove(&key)
            {
                self.bytes -= entry.bytes;
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(once: &Once, key: &str, length: u64) {
        let Ok(Place::New(sender)) = once.take(key, 1) else {
            panic!("{key} is known");
        };
        let running = Running {
            once: once.clone(),
            key: key.to_owned(),
            sender,
        };
        let whole = vec![0; usize::try_from(length).unwrap()];
        let response = Response::new(KeptBody::Whole(whole.into()));
        running.keep(Kept { response });
    }

    fn is_known(once: &Once, key: &str) -> bool {
        once.entries().by_key.contains_key(key)
    }

    #[test]
    fn the_oldest_answers_are_forgotten() {
        let once = Once::default();
        kept(&once, "a", KEPT_ANSWER_BYTES / 2);
        kept(&once, "b", KEPT_ANSWER_BYTES / 2);
        assert!(is_known(&once, "a") && is_known(&once, "b"));
        kept(&once, "c", 1);
        assert!(!is_known(&once, "a") && is_known(&once, "b") && is_known(&once, "c"));
        for n in 0..KEPT_ANSWERS {
            kept(&once, &n.to_string(), 0);
        }
        assert!(!is_known(&once, "b") && !is_known(&once, "c"));
        assert_eq!(once.entries().bytes, 0);
    }

    #[test]
    fn requests_that_are_carried_out_are_never_forgotten() {
        let once = Once::default();
        let running: Vec<_> = (0..KEPT_ANSWERS)
            .map(|n| once.take(&n.to_string(), 1).unwrap())
            .collect();
        assert!(once.take("one more", 1).is_err());
        assert!(matches!(once.take("0", 1), Ok(Place::Known(_))));
        assert!(once.take("0", 2).is_err(), "another request by this name");
        drop(running);
    }
}
