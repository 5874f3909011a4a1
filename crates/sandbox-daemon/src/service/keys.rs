//! The results of requests with a key, so that a request that is sent again has no second effect.
//!
//! A client that lost a connection cannot know whether its command ran. If its request had a key, it sends the same one
//! again: the first to arrive is carried out, and every other one returns the result of that.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use sandbox_wire::ErrorCode;
use tokio::sync::watch;

use super::Error;
use crate::sync::lock;

/// The results of requests, by their names. Cheap to clone; all clones refer to the same store.
#[derive(Debug)]
pub(crate) struct Keys<N, V> {
    entries: Arc<Mutex<Entries<N, V>>>,
    hasher: RandomState,
}

/// The limits of what is retained; the oldest is removed first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The number of requests, including those in progress.
    pub(crate) count: usize,
    /// Bytes that the results hold.
    pub(crate) bytes: u64,
    pub(crate) age: Option<Duration>,
}

#[derive(Debug)]
struct Entries<N, V> {
    bounds: Bounds,
    by_name: HashMap<N, Entry<V>>,
    /// The requests that have been carried out, the oldest first.
    done: VecDeque<(Instant, N)>,
    bytes: u64,
}

#[derive(Debug)]
struct Entry<V> {
    what: u64,
    /// The result; the channel is closed without a value if nothing was done.
    value: watch::Receiver<Option<V>>,
    bytes: u64,
}

/// A request by its name, with the hash of its content, since that can be long.
#[derive(Debug)]
pub(crate) struct Request<N> {
    name: N,
    what: u64,
}

/// The outcome of a claim.
pub(crate) enum Claim<N: Clone + Eq + Hash, V, T> {
    /// The request is new, and the caller is to carry it out.
    New(Place<N, V>),
    /// The request has been carried out, with this result.
    Known(T),
}

impl<N: Clone + Eq + Hash, V: Clone> Keys<N, V> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let entries = Entries {
            bounds,
            by_name: HashMap::new(),
            done: VecDeque::new(),
            bytes: 0,
        };
        Self {
            entries: Arc::new(Mutex::new(entries)),
            // With a key of its own, so that no client can compute two requests with the same hash.
            hasher: RandomState::new(),
        }
    }

    /// Returns a request of this name for `what`, which must be equal the next time.
    pub(crate) fn request(&self, name: N, what: impl Hash) -> Request<N> {
        let what = self.hasher.hash_one(what);
        Request { name, what }
    }

    /// Claims a request for the caller to carry out, or waits until it has been carried out.
    ///
    /// `find` returns the result, and `None` if that no longer exists, so that the request is to be carried out again.
    ///
    /// # Errors
    ///
    /// Returns a [`Conflict`](ErrorCode::Conflict) for a name that belongs to another request, and
    /// [`TooManyRequests`](ErrorCode::TooManyRequests) if there is no room for it.
    pub(crate) async fn claim<T>(
        &self,
        request: Request<N>,
        find: impl Fn(V) -> Option<T>,
    ) -> Result<Claim<N, V, T>, Error> {
        loop {
            let mut value = match self.take(&request)? {
                Taken::New(place) => return Ok(Claim::New(place)),
                Taken::Known(value) => value,
            };
            // An error means that nothing was done, for example because there was no room: this request is to try.
            let done = value.wait_for(Option::is_some).await;
            let Some(done) = done.ok().and_then(|done| done.clone()) else {
                continue;
            };
            match find(done) {
                None => self.entries().remove(&request.name, &value),
                Some(found) => return Ok(Claim::Known(found)),
            }
        }
    }

    /// Claims a name, or returns the entry that exists.
    fn take(&self, Request { name, what }: &Request<N>) -> Result<Taken<N, V>, Error> {
        let mut entries = self.entries();
        entries.forget();
        if let Some(entry) = entries.by_name.get(name) {
            if entry.what != *what {
                let message = "the idempotency key belongs to another request";
                return Err(Error::new(ErrorCode::Conflict, message));
            }
            return Ok(Taken::Known(entry.value.clone()));
        }
        // Only results are forgotten: a request in progress that lost its place could be carried
        // out twice.
        if entries.by_name.len() >= entries.bounds.count && !entries.forget_oldest() {
            let message = "too many requests with an idempotency key are being carried out";
            return Err(Error::new(ErrorCode::TooManyRequests, message));
        }
        let (sender, value) = watch::channel(None);
        let entry = Entry {
            what: *what,
            value,
            bytes: 0,
        };
        entries.by_name.insert(name.clone(), entry);
        Ok(Taken::New(Place {
            entries: Arc::clone(&self.entries),
            name: name.clone(),
            sender,
        }))
    }

    fn entries(&self) -> MutexGuard<'_, Entries<N, V>> {
        lock(&self.entries)
    }
}

enum Taken<N: Clone + Eq + Hash, V> {
    New(Place<N, V>),
    Known(watch::Receiver<Option<V>>),
}

/// The claim of a request that is in progress. If it is dropped without being [filled](Self::fill), the name is free again,
/// and the requests that wait for it try in turn.
#[derive(Debug)]
pub(crate) struct Place<N: Clone + Eq + Hash, V> {
    entries: Arc<Mutex<Entries<N, V>>>,
    name: N,
    sender: watch::Sender<Option<V>>,
}

impl<N: Clone + Eq + Hash, V> Place<N, V> {
    /// Stores the result, which holds this many bytes. If it is too large to be retained, waiting requests still get it.
    pub(crate) fn fill(self, value: V, bytes: u64) {
        let mut entries = lock(&self.entries);
        if bytes > entries.bounds.bytes {
            entries.by_name.remove(&self.name);
        } else if let Some(entry) = entries.by_name.get_mut(&self.name) {
            entry.bytes = bytes;
            entries.bytes += bytes;
            let done = (Instant::now(), self.name.clone());
            entries.done.push_back(done);
        }
        // Reaches the requests that wait even if the entry was removed, and before `self` is
        // dropped, whose destructor would free the name.
        self.sender.send_replace(Some(value));
        entries.forget();
    }
}

impl<N: Clone + Eq + Hash, V> Drop for Place<N, V> {
    fn drop(&mut self) {
        if self.sender.borrow().is_none() {
            lock(&self.entries).by_name.remove(&self.name);
        }
    }
}

impl<N: Eq + Hash, V> Entries<N, V> {
    /// Removes the oldest entries beyond the bounds.
    fn forget(&mut self) {
        let age = self.bounds.age.unwrap_or(Duration::MAX);
        while let Some((at, _)) = self.done.front()
            && (self.bytes > self.bounds.bytes || at.elapsed() >= age)
        {
            self.forget_oldest();
        }
    }

    /// Removes the oldest entry; returns false if there is none that has been carried out.
    fn forget_oldest(&mut self) -> bool {
        let Some((_, name)) = self.done.pop_front() else {
            return false;
        };
        if let Some(entry) = self.by_name.remove(&name) {
            self.bytes -= entry.bytes;
        }
        true
    }

    /// Removes the result of a request, unless it has been carried out again meanwhile.
    fn remove(&mut self, name: &N, value: &watch::Receiver<Option<V>>) {
        let entry = self.by_name.get(name);
        if entry.is_some_and(|entry| entry.value.same_channel(value)) {
            self.done.retain(|(_, done)| done != name);
            if let Some(entry) = self.by_name.remove(name) {
                self.bytes -= entry.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    type Store = Keys<&'static str, u32>;

    fn store(count: usize, bytes: u64) -> Store {
        Keys::new(Bounds {
            count,
            bytes,
            age: None,
        })
    }

    /// Claims a request without waiting.
    fn claim(
        store: &Store,
        name: &'static str,
        request: u32,
    ) -> Result<Claim<&'static str, u32, u32>, Error> {
        let claimed = store
            .claim(store.request(name, request), Some)
            .now_or_never();
        claimed.expect("no other request has this name")
    }

    fn place(store: &Store, name: &'static str) -> Place<&'static str, u32> {
        match claim(store, name, 1) {
            Ok(Claim::New(place)) => place,
            Ok(Claim::Known(_)) => panic!("{name} is known"),
            Err(error) => panic!("{error:?}"),
        }
    }

    fn known(store: &Store, name: &'static str) -> Option<u32> {
        match claim(store, name, 1) {
            Ok(Claim::Known(value)) => Some(value),
            _ => None,
        }
    }

    #[tokio::test]
    async fn requests_with_one_name_wait_for_the_first() {
        let store = store(9, 9);
        let first = place(&store, "k");
        drop(place(&store, "other"));
        let wait = || Box::pin(store.claim(store.request("k", 1), Some));
        let mut second = wait();
        assert!((&mut second).now_or_never().is_none());
        // A request that stops waiting.
        assert!(wait().now_or_never().is_none());
        assert!(
            claim(&store, "k", 2).is_err(),
            "another request by this name"
        );
        first.fill(7, 0);
        assert!(matches!(second.await, Ok(Claim::Known(7))));
        assert!(
            claim(&store, "k", 2).is_err(),
            "another request by this name"
        );
    }

    #[tokio::test]
    async fn what_did_nothing_is_tried_by_the_next() {
        let store = store(9, 9);
        let first = place(&store, "k");
        let mut second = Box::pin(store.claim(store.request("k", 1), Some));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        let Ok(Claim::New(second)) = second.await else {
            panic!("nothing was done")
        };
        // A result that is too large to be retained is returned to waiting requests, and not known after that.
        let mut third = Box::pin(store.claim(store.request("k", 1), Some));
        assert!((&mut third).now_or_never().is_none());
        second.fill(7, 10);
        assert!(matches!(third.await, Ok(Claim::Known(7))));
        drop(place(&store, "k"));
        assert!(store.entries().by_name.is_empty());
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let store: Store = Keys::new(Bounds {
            count: 9,
            bytes: 9,
            age: Some(Duration::ZERO),
        });
        place(&store, "a").fill(1, 1);
        assert_eq!(known(&store, "a"), None);
        assert_eq!(store.entries().bytes, 0);
    }

    #[test]
    fn what_is_no_longer_there_is_done_again() {
        let store = store(9, 9);
        place(&store, "k").fill(1, 1);
        let request = store.request("k", 1);
        let claimed = store.claim(request, |_| None::<u32>).now_or_never();
        let Some(Ok(Claim::New(place))) = claimed else {
            panic!("it is to be done again")
        };
        place.fill(2, 3);
        assert_eq!(known(&store, "k"), Some(2));
        let entries = store.entries();
        assert_eq!(
            (entries.by_name.len(), entries.done.len(), entries.bytes),
            (1, 1, 3)
        );
    }
}
