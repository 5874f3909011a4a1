//! The results of operations whose requests had a key, over either protocol.

use std::hash::Hash;

use sandbox_engine::Recorded;

use super::Error;
use super::keys::{Bounds, Claim, Keys, Request};
use crate::limits::{REQUEST_KEY_BYTES, RETAINED_KEYS, RETAINED_RESPONSE_BYTES};

/// The results of operations, by the keys of the requests.
#[derive(Debug)]
pub(super) struct Repeats(Keys<String, Done>);

/// The operation of a request. A key belongs to one request: the same key with another operation is refused.
#[derive(Debug, Hash)]
pub(super) enum Operation<'a> {
    /// Commands outside of sessions.
    Exec,
    /// Runs of programs.
    Code,
    /// Creations of sessions.
    NewSession,
    /// Creations of terminals.
    NewPty,
    /// Creations of contexts.
    NewContext,
    /// Commands of the session with this id.
    Session(&'a str),
}

/// The result of an operation.
#[derive(Debug, Clone)]
pub(super) enum Done {
    /// The command with this id was started.
    Started(String),
    /// The session, terminal or context with this id was created.
    Created(String),
    /// A program was run to its end.
    Ran(Recorded),
}

/// An operation's result, and whether an earlier request with the same key has carried it out.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) result: T,
    pub(crate) resumed: bool,
}

impl Repeats {
    /// Creates a store with the limits of this crate. Started commands are referred to by id as long as there is room, and a run
    /// holds its output.
    pub(super) fn new() -> Self {
        Self(Keys::new(Bounds {
            count: RETAINED_KEYS,
            bytes: RETAINED_RESPONSE_BYTES,
            age: None,
        }))
    }

    /// Returns the request to do `what` with this key, if it has one.
    pub(super) fn request(
        &self,
        operation: Operation<'_>,
        key: &str,
        what: impl Hash,
    ) -> Result<Option<Request<String>>, Error> {
        if key.len() > REQUEST_KEY_BYTES {
            let message = format!("an idempotency key has at most {REQUEST_KEY_BYTES} bytes");
            return Err(Error::bad(message));
        }
        let request = || self.0.request(key.to_owned(), (operation, what));
        Ok((!key.is_empty()).then(request))
    }

    /// Creates an object with an id, or returns the one that the same request has created before, unless that was deleted since.
    pub(super) async fn create<T: Send + 'static, E: Send + 'static>(
        &self,
        request: Option<Request<String>>,
        find: impl Fn(&str) -> Option<T>,
        create: impl Future<Output = Result<(T, String), E>> + Send + 'static,
    ) -> Result<Result<T, E>, Error> {
        let find = |done| match done {
            Done::Created(id) => find(&id),
            Done::Started(_) | Done::Ran(_) => None,
        };
        let operation = async move {
            let (created, id) = create.await?;
            Ok((created, Done::Created(id)))
        };
        let created = self.once(request, false, find, operation).await?;
        Ok(created.map(|found| found.result))
    }

    /// Carries out an operation, or returns the result that it had for the same request before.
    ///
    /// The operation of a request with a key is carried out to its end, even if the caller stops waiting, and so is any other if it
    /// `must_end`. `find` returns the result of one with a key if that still exists. If the operation fails, it has had no effect.
    pub(super) async fn once<T: Send + 'static, E: Send + 'static>(
        &self,
        request: Option<Request<String>>,
        must_end: bool,
        find: impl Fn(Done) -> Option<T>,
        operation: impl Future<Output = Result<(T, Done), E>> + Send + 'static,
    ) -> Result<Result<Found<T>, E>, Error> {
        let Some(request) = request else {
            let done = if must_end {
                to_its_end(operation).await?
            } else {
                operation.await
            };
            return Ok(done.map(|(result, _)| Found::new(result)));
        };
        let place = match self.0.claim(request, find).await? {
            Claim::New(place) => place,
            Claim::Known(result) => {
                return Ok(Ok(Found {
                    result,
                    resumed: true,
                }));
            }
        };
        to_its_end(async move {
            // An error drops `place`: the next request with the key tries again.
            let (result, done) = operation.await?;
            let bytes = match &done {
                Done::Started(_) | Done::Created(_) => 0,
                Done::Ran(run) => bytes(run),
            };
            // In the task, so that a request that stops waiting leaves the result for the next one
            // with the key.
            place.fill(done, bytes);
            Ok(Found::new(result))
        })
        .await
    }
}

/// Carries out an operation, even if the caller stops waiting.
async fn to_its_end<T: Send + 'static>(
    operation: impl Future<Output = T> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(operation).await.map_err(Error::internal)
}

impl<T> Found<T> {
    fn new(result: T) -> Self {
        Self {
            result,
            resumed: false,
        }
    }
}

/// Returns how many bytes a run holds, in memory or in files.
fn bytes(run: &Recorded) -> u64 {
    let artifacts = run.artifacts.iter().map(|chart| chart.len() as u64);
    run.record.length() + artifacts.sum::<u64>()
}
