//! What operations have done whose requests had a key, over whichever protocol they came.

use std::hash::Hash;

use sandbox_engine::Recorded;

use super::Error;
use super::keys::{Bounds, Claim, Keys, Request};
use crate::limits::{KEPT_ANSWER_BYTES, KEPT_KEYS, REQUEST_KEY_BYTES};

/// What was done, by the names of the requests.
#[derive(Debug)]
pub(super) struct Repeats(Keys<Name, Done>);

/// A key, and what it belongs to: the same key is another name elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    scope: Scope,
    key: String,
}

/// What a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// Commands of their own.
    Exec,
    /// Programs.
    Code,
    /// Sessions that are created.
    NewSession,
    /// Terminals that are created.
    NewPty,
    /// Contexts that are created.
    NewContext,
    /// Commands of the session with this id.
    Session(String),
}

/// What an operation has done.
#[derive(Debug, Clone)]
pub(super) enum Done {
    /// It has started the command with this id.
    Started(String),
    /// It has created the session, terminal or context with this id.
    Created(String),
    /// It has run a program to its end.
    Ran(Recorded),
}

/// An operation's result, and whether an earlier request with the same key has carried it out.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) result: T,
    pub(crate) resumed: bool,
}

impl Repeats {
    /// Returns a store that has what the bounds allow. What was started is known by its id for as long as there is room, and what
    /// was run holds its output.
    pub(super) fn new() -> Self {
        Self(Keys::new(Bounds {
            count: KEPT_KEYS,
            bytes: KEPT_ANSWER_BYTES,
            age: None,
        }))
    }

    /// Returns the claim of a request with this key, if it has one, to do `what`.
    pub(super) fn request(
        &self,
        scope: Scope,
        key: &str,
        what: impl Hash,
    ) -> Result<Option<Request<Name>>, Error> {
        if key.len() > REQUEST_KEY_BYTES {
            let message = format!("an idempotency key has at most {REQUEST_KEY_BYTES} bytes");
            return Err(Error::bad(message));
        }
        let key = key.to_owned();
        let request = || {
            self.0.request(
                Name {
                    scope,
                    key: key.clone(),
                },
                what,
            )
        };
        Ok((!key.is_empty()).then(request))
    }

    /// Creates what has an id, or finds what the same request has created before, unless that was removed since.
    pub(super) async fn create<T: Send + 'static, E: Send + 'static>(
        &self,
        request: Option<Request<Name>>,
        find: impl Fn(&str) -> Option<T>,
        create: impl Future<Output = Result<(T, String), E>> + Send + 'static,
    ) -> Result<Result<Found<T>, E>, Error> {
        let find = |done| match done {
            Done::Created(id) => find(&id),
            Done::Started(_) | Done::Ran(_) => None,
        };
        let operation = async move {
            let (created, id) = create.await?;
            Ok((created, Done::Created(id)))
        };
        self.once(request, find, operation).await
    }

    /// Carries out an operation, or finds what it has done for the same request before.
    ///
    /// That of a request with a key is carried out to its end, also if the caller stops to wait for it, and `find` returns what it
    /// did if that is still there. If the operation fails, it has done nothing.
    pub(super) async fn once<T: Send + 'static, E: Send + 'static>(
        &self,
        request: Option<Request<Name>>,
        find: impl Fn(Done) -> Option<T>,
        operation: impl Future<Output = Result<(T, Done), E>> + Send + 'static,
    ) -> Result<Result<Found<T>, E>, Error> {
        let Some(request) = request else {
            let done = operation.await;
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
        let carried_out = tokio::spawn(async move {
            let (result, done) = operation.await?;
            let bytes = match &done {
                Done::Started(_) | Done::Created(_) => 0,
                Done::Ran(run) => bytes(run),
            };
            place.fill(done, bytes);
            Ok(Found::new(result))
        });
        carried_out.await.map_err(Error::internal)
    }
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
