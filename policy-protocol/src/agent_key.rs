//! Agent keys: what seals SMSESSION cookies.
//!
//! Every agent of one policy server shares them. A key is known to every agent (as *next*) before its
//! first use and is kept (as *previous*) for as long as a cookie sealed with it may still live, so a
//! rollover logs nobody out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::seal::{KEY_LENGTH, KeyId, SealingKey};
use crate::secret::Secret;

/// A key that is rolled over opens for this much longer than what it sealed before may live. Agents learn of a
/// rollover by an event, and by asking now and then if they missed it; until then they go on sealing with the
/// old key.
pub const KEY_PROPAGATION: Duration = Duration::from_secs(600);

/// One agent key on the wire and at rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentKey {
    /// Its name inside sealed tokens.
    pub id: KeyId,
    /// The key itself.
    pub key: Secret<[u8; KEY_LENGTH]>,
}

impl AgentKey {
    /// A new random key named `id`.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn random(id: KeyId) -> Result<Self, getrandom::Error> {
        let mut key = [0; KEY_LENGTH];
        getrandom::fill(&mut key)?;
        Ok(Self {
            id,
            key: Secret::new(key),
        })
    }
}

/// All agent keys, as the policy server hands them to its agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentKeySet {
    /// The identity of the store that they are kept in.
    pub store: String,
    /// Their version there: of two sets from one store, the one with the greater version is in force.
    pub version: u64,
    /// Seals new cookies.
    pub current: AgentKey,
    /// Will be current after the next rollover.
    pub next: AgentKey,
    /// Open cookies sealed before the last rollovers, newest first.
    pub previous: Vec<AgentKey>,
    /// Does not roll over: for cookies that outlive sessions. One that is replaced opens no more.
    #[serde(rename = "static")]
    pub static_key: AgentKey,
    /// Signs identity assertions for upstreams: an ECDSA P-256 key in PKCS #8 (DER). All agents share
    /// it, so an upstream may check an assertion against the keys of any of them.
    pub assertion_key: Secret<Vec<u8>>,
}

/// The agent keys, ready for use.
#[derive(Clone, Debug)]
pub struct AgentKeyRing {
    /// Current first, because almost every cookie is sealed with it.
    keys: Vec<SealingKey>,
    static_key: SealingKey,
}

impl AgentKeyRing {
    /// Prepares a key set for use.
    pub fn new(set: &AgentKeySet) -> Self {
        let ready = |key: &AgentKey| SealingKey::new(key.id, key.key.expose());
        let ordered = [&set.current, &set.next].into_iter().chain(&set.previous);
        Self {
            keys: ordered.map(ready).collect(),
            static_key: ready(&set.static_key),
        }
    }

    /// The key that seals new tokens.
    pub fn current(&self) -> &SealingKey {
        &self.keys[0]
    }

    /// The key that seals what outlives sessions, and opens it until it is replaced. It opens nothing else.
    pub const fn static_key(&self) -> &SealingKey {
        &self.static_key
    }

    /// The key named `id`, if this ring still has it. The static key is not one of these.
    pub fn find(&self, id: KeyId) -> Option<&SealingKey> {
        self.keys.iter().find(|key| key.id() == id)
    }
}
