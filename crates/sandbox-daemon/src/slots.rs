//! The connection slots of a server, and which connections are evicted.
//!
//! Every client that reaches the listener can open connections. So a connection on which no request
//! was admitted so far is only tolerated: such connections have a limited time and a limited share
//! of all slots, and when another exceeds the share, one of them is closed. A client with the token
//! is admitted however many connections are opened without one.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use crate::limits::UNADMITTED_SHARE;
use crate::sync::lock;

/// All slots of a server.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    free: Arc<Semaphore>,
    /// The number of connections that may be unadmitted at a time.
    share: usize,
    time: Duration,
    unadmitted: Mutex<Unadmitted>,
}

/// The connections on which nothing was admitted so far, by their sources.
#[derive(Debug, Default)]
struct Unadmitted {
    /// The connections of each source by age, the oldest first.
    groups: HashMap<Source, BTreeMap<u64, Arc<watch::Sender<Standing>>>>,
    count: usize,
    next: u64,
}

/// The source of a connection, as far as it identifies the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A Unix socket on this machine.
    Local,
    /// An IP address; of IPv6 the first half, which a site is assigned as a whole.
    Address(IpAddr),
}

/// The state of a connection's admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unadmitted,
    Admitted,
    /// The connection was closed to make room for another one.
    Evicted,
}

/// The slot of one connection. Dropping it makes room for another.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
    slots: Slots,
    source: Source,
    number: u64,
    standing: Arc<watch::Sender<Standing>>,
}

impl Slots {
    /// Creates this many slots; each connection has `time` for its first request.
    pub fn new(connections: usize, time: Duration) -> Self {
        Self(Arc::new(Shared {
            free: Arc::new(Semaphore::new(connections)),
            share: (connections / UNADMITTED_SHARE).max(1),
            time,
            unadmitted: Mutex::default(),
        }))
    }

    /// Returns a slot for a connection that was accepted. An unadmitted connection is evicted if
    /// no slot, or no share, is free; if all are admitted, this waits for one of them to end.
    ///
    /// # Panics
    ///
    /// Never: its semaphore is not closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn enter(&self, source: Source) -> Slot {
        let is_share_used = self.unadmitted().count >= self.0.share;
        if is_share_used || self.0.free.available_permits() == 0 {
            self.evict();
        }
        // An evicted connection returns its permit when its task has closed it.
        let permit = Arc::clone(&self.0.free).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let standing = Arc::new(watch::Sender::new(Standing::Unadmitted));
        let number = self.unadmitted().insert(source, Arc::clone(&standing));
        Slot {
            _permit: permit,
            slots: self.clone(),
            source,
            number,
            standing,
        }
    }

    /// Evicts an unadmitted connection, if there is one: the oldest of the source that has the most,
    /// so that a flood from one source does not affect the others.
    pub fn evict(&self) {
        let mut unadmitted = self.unadmitted();
        let largest = unadmitted
            .groups
            .iter()
            .max_by_key(|(_, group)| group.len());
        let oldest = largest.and_then(|(source, group)| Some((*source, *group.keys().next()?)));
        if let Some((source, number)) = oldest
            && let Some(standing) = unadmitted.remove(source, number)
        {
            standing.send_replace(Standing::Evicted);
        }
    }

    fn unadmitted(&self) -> MutexGuard<'_, Unadmitted> {
        lock(&self.0.unadmitted)
    }
}

impl Unadmitted {
    fn insert(&mut self, source: Source, standing: Arc<watch::Sender<Standing>>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.count += 1;
        self.groups
            .entry(source)
            .or_default()
            .insert(number, standing);
        number
    }

    fn remove(&mut self, source: Source, number: u64) -> Option<Arc<watch::Sender<Standing>>> {
        let group = self.groups.get_mut(&source)?;
        let standing = group.remove(&number)?;
        if group.is_empty() {
            self.groups.remove(&source);
        }
        self.count -= 1;
        Some(standing)
    }
}

impl Slot {
    /// Records that a request was admitted: the connection stays open as long as its client wants.
    pub fn admit(&self) {
        // Called for each request: all but the first of a connection need no lock.
        if *self.standing.borrow() != Standing::Unadmitted {
            return;
        }
        // A connection that was evicted meanwhile is not in the list any more.
        let mut unadmitted = self.slots.unadmitted();
        if unadmitted.remove(self.source, self.number).is_some() {
            self.standing.send_replace(Standing::Admitted);
        }
    }

    /// Completes when the connection is to be closed to make room for another one.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn evicted(&self) {
        let mut standing = self.standing.subscribe();
        let settled = standing.wait_for(|standing| *standing != Standing::Unadmitted);
        let is_evicted = match settled.await {
            Ok(standing) => *standing == Standing::Evicted,
            Err(_) => false,
        };
        if !is_evicted {
            pending().await
        }
    }

    /// Completes `grace` after the deadline of the first request, if nothing was admitted until then,
    /// and never otherwise.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, but the time starts anew with each call.
    pub async fn overdue(&self, grace: Duration) {
        let limit = self.slots.0.time + grace;
        let mut standing = self.standing.subscribe();
        let admitted = async {
            // The sender lives as long as this slot, so the wait ends.
            let _ = standing
                .wait_for(|standing| *standing == Standing::Admitted)
                .await;
        };
        tokio::select! {
            () = admitted => pending().await,
            () = sleep(limit) => {}
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.unadmitted().remove(self.source, self.number);
    }
}

impl From<SocketAddr> for Source {
    fn from(address: SocketAddr) -> Self {
        Self::Address(match address.ip().to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & (u128::MAX << 64);
                Ipv6Addr::from(network).into()
            }
            address => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const TIME: Duration = Duration::from_secs(30);

    fn is_evicted(slot: &Slot) -> bool {
        slot.evicted().now_or_never().is_some()
    }

    fn from(address: &str) -> Source {
        format!("{address}:1").parse::<SocketAddr>().unwrap().into()
    }

    #[tokio::test]
    async fn the_oldest_gives_way_beyond_the_share() {
        let slots = Slots::new(8, TIME);
        let first = slots.enter(Source::Local).await;
        let second = slots.enter(Source::Local).await;
        assert!(!is_evicted(&first));
        let third = slots.enter(Source::Local).await;
        assert!(is_evicted(&first) && !is_evicted(&second) && !is_evicted(&third));
        // An admitted connection makes room in the share, and is never evicted.
        second.admit();
        let fourth = slots.enter(Source::Local).await;
        assert!(!is_evicted(&third));
        let fifth = slots.enter(Source::Local).await;
        assert!(is_evicted(&third) && !is_evicted(&second) && !is_evicted(&fourth));
        // The admission comes too late: the connection was evicted.
        third.admit();
        assert!(is_evicted(&third));
        drop((first, second, third, fourth, fifth));
        assert_eq!(slots.0.free.available_permits(), 8);
        assert_eq!(slots.unadmitted().count, 0);
    }

    #[tokio::test]
    async fn a_flood_from_one_place_costs_the_others_nothing() {
        let slots = Slots::new(16, TIME);
        let other = slots.enter(from("10.0.0.1")).await;
        let flood: Vec<_> = (0..3).map(|_| slots.enter(from("10.0.0.2"))).collect();
        let flood = futures_util::future::join_all(flood).await;
        assert!(!is_evicted(&flood[0]));
        let more: Vec<_> = (0..9).map(|_| slots.enter(from("10.0.0.2"))).collect();
        let more = futures_util::future::join_all(more).await;
        assert!(!is_evicted(&other));
        assert!(flood.iter().all(is_evicted));
        assert_eq!(more.iter().filter(|slot| is_evicted(slot)).count(), 6);
    }

    #[tokio::test]
    async fn admitted_connections_are_waited_for() {
        let slots = Slots::new(2, TIME);
        let first = slots.enter(Source::Local).await;
        first.admit();
        let second = slots.enter(Source::Local).await;
        second.admit();
        assert!(slots.enter(Source::Local).now_or_never().is_none());
        drop(second);
        let third = slots.enter(Source::Local).await;
        // An unadmitted connection holds the last slot, and is evicted.
        assert!(slots.enter(Source::Local).now_or_never().is_none());
        assert!(is_evicted(&third) && !is_evicted(&first));
        drop(third);
        slots.enter(Source::Local).await;
    }

    #[tokio::test(start_paused = true)]
    async fn only_unadmitted_connections_have_a_limited_time() {
        let slots = Slots::new(8, TIME);
        let (stays, goes) = (
            slots.enter(Source::Local).await,
            slots.enter(Source::Local).await,
        );
        stays.admit();
        tokio::select! {
            () = stays.overdue(Duration::ZERO) => panic!("it was admitted"),
            () = goes.overdue(Duration::ZERO) => {}
        }
    }

    #[test]
    fn a_source_is_an_address_or_a_network() {
        assert_eq!(from("[2001:db8::1]"), from("[2001:db8::ffff:2]"));
        assert_ne!(from("[2001:db8::1]"), from("[2001:db8:0:1::1]"));
        assert_eq!(from("[::ffff:10.0.0.1]"), from("10.0.0.1"));
        assert_ne!(from("10.0.0.1"), from("10.0.0.2"));
    }
}
