//! How much each client has kept, so that one cannot push out what others sent.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes by client.
type Taken = Arc<Mutex<HashMap<IpAddr, u64>>>;

/// See the module.
#[derive(Debug)]
pub(super) struct Shares {
    /// For each client.
    most: u64,
    taken: Taken,
}

/// What one kept request takes of its client's share, until it is given back or dropped.
#[derive(Debug)]
pub(super) struct Share {
    taken: Taken,
    client: IpAddr,
    bytes: u64,
    left: AtomicU64,
}

impl Shares {
    /// At most so many bytes for each client.
    pub(super) fn new(most: u64) -> Self {
        Self {
            most,
            taken: Taken::default(),
        }
    }

    /// So many bytes of a client's share, if it has them.
    pub(super) fn take(&self, client: IpAddr, bytes: u64) -> Option<Share> {
        let client = network(client);
        let mut taken = lock(&self.taken);
        let already = taken.get(&client).copied().unwrap_or_default();
        let sum = already.saturating_add(bytes);
        if sum > self.most {
            return None;
        }
        taken.insert(client, sum);
        Some(Share {
            taken: Arc::clone(&self.taken),
            client,
            bytes,
            left: AtomicU64::new(bytes),
        })
    }
}

impl Share {
    /// What was taken.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives it back before it is dropped, which may be some time after the request has left.
    pub(super) fn give_back(&self) {
        let left = self.left.swap(0, Ordering::Relaxed);
        let mut taken = lock(&self.taken);
        let rest = taken.get(&self.client).map(|sum| sum.saturating_sub(left));
        match rest {
            Some(rest) if rest > 0 => taken.insert(self.client, rest),
            _ => taken.remove(&self.client),
        };
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn lock(taken: &Taken) -> MutexGuard<'_, HashMap<IpAddr, u64>> {
    // No invariant spans a panic: every operation leaves the map usable.
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who has one IPv6 address has the whole /64 that it is in.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_its_share_and_no_more() {
        let shares = Shares::new(100);
        let take = |client: &str, bytes| shares.take(client.parse().unwrap(), bytes);
        let first = take("192.0.2.1", 60).unwrap();
        assert!(take("192.0.2.1", 41).is_none());
        let second = take("192.0.2.1", 40).unwrap();
        assert!(take("192.0.2.2", 100).is_some(), "another client");
        first.give_back();
        drop(first);
        assert!(take("192.0.2.1", 61).is_none(), "given back once");
        assert!(take("192.0.2.1", 60).is_some());
        drop(second);
        assert!(lock(&shares.taken).is_empty());
    }

    #[test]
    fn a_network_is_one_client() {
        let shares = Shares::new(100);
        let take = |client: &str| shares.take(client.parse().unwrap(), 60);
        let _first = take("2001:db8::1").unwrap();
        assert!(take("2001:db8::ffff:2").is_none());
        assert!(take("2001:db8:0:1::1").is_some());
    }
}
