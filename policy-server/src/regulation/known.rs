//! From where a user has logged in before.
//!
//! Whoever guesses from elsewhere cannot lock them out there: attempts from a network that a name has
//! logged in from are counted apart, and are not stopped by what others in that network do.

use std::time::Duration;

use minicbor::{Decode, Encode};
use policy_protocol::Timestamp;

/// Networks that are remembered for a user, the latest: home, office, telephone and a few more.
const MAX: usize = 8;
/// How long one is remembered without another login from there.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// Logins from there are noted again after this long: a write less for all others.
const FRESH: Duration = Duration::from_hours(24);

/// From where a user has logged in, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct KnownNetworks(#[n(0)] Vec<Login>);

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Login {
    #[n(0)]
    network: String,
    #[n(1)]
    at: Timestamp,
}

impl KnownNetworks {
    pub(super) fn knows(&self, network: &str, now: Timestamp) -> bool {
        self.0
            .iter()
            .any(|login| login.network == network && now.since(login.at) < KEPT)
    }

    pub(super) fn networks(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|login| login.network.as_str())
    }

    /// With a login from there; `None` if that is nothing new.
    pub(super) fn with(&self, network: &str, now: Timestamp) -> Option<Self> {
        let is_fresh = |login: &Login| login.network == network && now.since(login.at) < FRESH;
        if self.0.iter().any(is_fresh) {
            return None;
        }
        let others = self.0.iter().filter(|login| login.network != network);
        let login = Login {
            network: network.to_owned(),
            at: now,
        };
        let logins = std::iter::once(login).chain(others.cloned());
        Some(Self(logins.take(MAX).collect()))
    }

    /// When it can be forgotten.
    pub(super) fn expires(&self) -> Timestamp {
        let latest = self.0.iter().map(|login| login.at).max();
        latest.unwrap_or_default().plus(KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_networks_are_known_for_a_month() {
        let mut known = KnownNetworks::default();
        let mut now = Timestamp(1_000_000);
        for network in 0..9 {
            known = known.with(&network.to_string(), now).unwrap();
            now = now.plus(Duration::from_secs(1));
        }
        assert!(!known.knows("0", now), "the oldest gave way");
        assert!(known.knows("1", now) && known.knows("8", now));
        assert_eq!(known.with("8", now), None);
        let next_day = now.plus(FRESH);
        assert_eq!(known.with("8", next_day).unwrap().networks().count(), MAX);
        assert!(!known.knows("8", now.plus(KEPT)));
        assert_eq!(known.expires(), Timestamp(1_000_008).plus(KEPT));
    }
}
