//! Client networks, and how many attempts of each are under way in this process.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::regulation::NetworkLimit;

/// The name of an address's network, such as `192.0.2.0/24`.
pub(super) fn network_of(address: IpAddr, limit: &NetworkLimit) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let prefix = limit.ipv4_prefix.min(32);
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            let network = Ipv4Addr::from_bits(address.to_bits() & mask);
            format!("{network}/{prefix}")
        }
        IpAddr::V6(address) => {
            let prefix = limit.ipv6_prefix.min(128);
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            let network = Ipv6Addr::from_bits(address.to_bits() & mask);
            format!("{network}/{prefix}")
        }
    }
}

/// Attempts under way, by network. As many as there are logins at a time.
#[derive(Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashMap<String, u32>>>);

/// One attempt under way from a network. Dropping it ends that.
pub(super) struct Place {
    all: UnderWay,
    network: String,
    /// Its number among those under way, from 1.
    pub(super) number: u32,
}

impl UnderWay {
    /// One more from this network.
    pub(super) fn enter(&self, network: String) -> Place {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(network.clone()).or_default();
        *count += 1;
        let number = *count;
        drop(all);
        Place {
            all: self.clone(),
            network,
            number,
        }
    }
}

impl Place {
    pub(super) fn network(&self) -> &str {
        &self.network
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_one_network_of_each_size() {
        for (address, prefixes, network) in [
            ("192.0.2.77", (32, 64), "192.0.2.77/32"),
            ("192.0.2.77", (24, 48), "192.0.2.0/24"),
            ("::ffff:192.0.2.77", (24, 48), "192.0.2.0/24"),
            ("2001:db8:1:2:3::4", (32, 64), "2001:db8:1:2::/64"),
            ("2001:db8:1:2:3::4", (24, 128), "2001:db8:1:2:3::4/128"),
            ("255.255.255.255", (1, 1), "128.0.0.0/1"),
        ] {
            let limit = NetworkLimit {
                ipv4_prefix: prefixes.0,
                ipv6_prefix: prefixes.1,
                max_failures: 1,
            };
            assert_eq!(network_of(address.parse().unwrap(), &limit), network);
        }
    }

    #[test]
    fn places_are_numbered_and_given_back() {
        let all = UnderWay::default();
        let first = all.enter(String::from("a"));
        let second = all.enter(String::from("a"));
        assert_eq!((first.number, second.number), (1, 2));
        drop(first);
        assert_eq!(all.enter(String::from("a")).number, 2);
        drop(second);
        assert!(all.0.lock().unwrap().is_empty());
    }
}
