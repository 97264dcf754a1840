//! Keys that roll over: a current one, the next one, and those before that still open.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use policy_protocol::administration::{KeyRingReport, RetiredKeyReport};
use policy_protocol::seal::KEY_LENGTH;
use policy_protocol::{AgentKey, KeyId, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::master_key::key_id;

/// Previous keys at most. Keys that roll over by themselves stay below it: one an hour for 31 days, the
/// longest life of a session, is 744. Every agent holds all of them and gets them in one answer, where
/// each takes some 150 bytes.
pub(crate) const MAX_PREVIOUS: usize = 1000;

/// Keys at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RollingKeys {
    /// Seals.
    pub(crate) current: AgentKey,
    /// Known to everybody before it seals.
    pub(crate) next: AgentKey,
    /// Only open. Newest first.
    pub(crate) previous: Vec<RetiredKey>,
}

/// A key that only opens, and until when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RetiredKey {
    /// The key.
    pub(crate) key: AgentKey,
    /// When nothing sealed with it can be alive any more.
    pub(crate) drop_at: Timestamp,
}

/// The operating system has no randomness to give.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("there is no randomness to be had")]
pub(crate) struct NoRandomness;

impl From<getrandom::Error> for NoRandomness {
    fn from(_: getrandom::Error) -> Self {
        Self
    }
}

/// Why a key cannot be the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnusableKey {
    #[error("this key is in use already, or was")]
    InUse,
    #[error("this key has the same id as another one: make another key")]
    SameId,
}

impl RollingKeys {
    /// New keys that are named differently from `other`.
    pub(crate) fn random(other: Option<&AgentKey>) -> Result<Self, NoRandomness> {
        let is_other = |id| other.is_some_and(|other| other.id == id);
        let current = random_key(is_other)?;
        let next = random_key(|id| id == current.id || is_other(id))?;
        Ok(Self {
            current,
            next,
            previous: Vec::new(),
        })
    }

    /// Every key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &AgentKey> {
        let previous = self.previous.iter().map(|retired| &retired.key);
        [&self.current, &self.next].into_iter().chain(previous)
    }

    /// Next becomes current, and `next` next; the old current one opens until `drop_at`.
    pub(crate) fn roll(&mut self, next: AgentKey, drop_at: Timestamp) {
        let current = std::mem::replace(&mut self.next, next);
        let old = std::mem::replace(&mut self.current, current);
        self.retire(old, drop_at);
    }

    /// `key` opens until `drop_at`. What is beyond the bound opens no more, the oldest first.
    pub(crate) fn retire(&mut self, key: AgentKey, drop_at: Timestamp) {
        self.previous.insert(0, RetiredKey { key, drop_at });
        self.previous.truncate(MAX_PREVIOUS);
    }

    pub(crate) fn drop_old(&mut self, now: Timestamp) {
        self.previous.retain(|retired| retired.drop_at > now);
    }

    pub(crate) fn report(&self) -> KeyRingReport {
        let previous = self.previous.iter();
        KeyRingReport {
            current: self.current.id,
            next: self.next.id,
            previous: previous
                .map(|retired| RetiredKeyReport {
                    id: retired.key.id,
                    drop_at: retired.drop_at,
                })
                .collect(),
        }
    }
}

/// Names a key after itself.
fn named(key: Secret<[u8; KEY_LENGTH]>) -> AgentKey {
    AgentKey {
        id: key_id(b"doorward key", key.expose()),
        key,
    }
}

/// A random key whose name is not taken.
pub(crate) fn random_key(is_taken: impl Fn(KeyId) -> bool) -> Result<AgentKey, NoRandomness> {
    loop {
        let mut key = [0; KEY_LENGTH];
        getrandom::fill(&mut key)?;
        let key = named(Secret::new(key));
        if !is_taken(key.id) {
            return Ok(key);
        }
    }
}

/// The key that is derived from `secret` for a purpose. None tells anything of the secret, or of another.
pub(crate) fn derived_key(
    secret: &Secret<[u8; KEY_LENGTH]>,
    purpose: &str,
) -> Result<AgentKey, NoRandomness> {
    let mut key = [0; KEY_LENGTH];
    Salt::new(HKDF_SHA256, b"doorward")
        .extract(secret.expose())
        .expand(&[purpose.as_bytes()], KeyLength)
        .and_then(|derived| derived.fill(&mut key))
        .map_err(|_| NoRandomness)?;
    Ok(named(Secret::new(key)))
}

/// How much HKDF is to give.
struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY_LENGTH
    }
}

/// `key`, if it can be told from the keys there are.
pub(crate) fn check_new<'k>(
    key: AgentKey,
    mut keys: impl Iterator<Item = &'k AgentKey>,
) -> Result<AgentKey, UnusableKey> {
    match keys.find(|other| other.id == key.id) {
        None => Ok(key),
        Some(other) if other.key == key.key => Err(UnusableKey::InUse),
        Some(_) => Err(UnusableKey::SameId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_secrets_give_equal_keys_with_equal_names_and_purposes_differ() {
        let secret = Secret::new([7; KEY_LENGTH]);
        let [one, same, other] =
            ["agent", "agent", "ticket"].map(|purpose| derived_key(&secret, purpose).unwrap());
        assert_eq!(one, same);
        assert!(one.key != other.key && one.id != other.id);
        assert!(one.key != secret);
    }

    #[test]
    fn no_two_keys_of_one_name_are_together() {
        let keys = RollingKeys::random(None).unwrap();
        let fresh = random_key(|_| false).unwrap();
        assert!(check_new(fresh, keys.iter()).is_ok());
        let again = check_new(keys.next.clone(), keys.iter());
        assert_eq!(again, Err(UnusableKey::InUse));
        let namesake = AgentKey {
            key: Secret::new([1; KEY_LENGTH]),
            id: keys.current.id,
        };
        let refused = check_new(namesake, keys.iter());
        assert_eq!(refused, Err(UnusableKey::SameId));
    }

    #[test]
    fn a_name_that_is_taken_is_not_given_again() {
        let first = std::cell::Cell::new(None);
        let key = random_key(|id| {
            let is_first = first.get().is_none();
            first.set(first.get().or(Some(id)));
            is_first
        });
        assert_ne!(Some(key.unwrap().id), first.get());
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut keys = RollingKeys::random(None).unwrap();
        let first = keys.current.clone();
        for _ in 0..MAX_PREVIOUS {
            keys.roll(random_key(|_| false).unwrap(), Timestamp(9));
        }
        assert!(keys.iter().any(|key| *key == first));
        keys.roll(random_key(|_| false).unwrap(), Timestamp(9));
        assert!(keys.iter().all(|key| *key != first));
        keys.drop_old(Timestamp(9));
        assert_eq!(keys.iter().count(), 2);
    }
}
