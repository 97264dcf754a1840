//! Agent keys at the place that makes them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use policy_protocol::{AgentKey, AgentKeySet, KeyId, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ticket_keys::RetiredKey;

/// Agent keys at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AgentKeyState {
    pub(crate) current: AgentKey,
    pub(crate) next: AgentKey,
    /// Newest first.
    pub(crate) previous: Vec<RetiredKey>,
    pub(crate) static_key: AgentKey,
    /// ECDSA P-256 in PKCS #8 (DER).
    pub(crate) assertion_key: Secret<Vec<u8>>,
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

impl AgentKeyState {
    pub(crate) fn random() -> Result<Self, NoRandomness> {
        let assertion_key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| NoRandomness)?;
        Ok(Self {
            static_key: AgentKey::random(KeyId(1))?,
            current: AgentKey::random(KeyId(2))?,
            next: AgentKey::random(KeyId(3))?,
            previous: Vec::new(),
            assertion_key: Secret::new(assertion_key.as_ref().to_vec()),
        })
    }

    /// Next becomes current, a new key next; the old current one opens until `drop_at`.
    pub(crate) fn roll(&mut self, drop_at: Timestamp) -> Result<(), NoRandomness> {
        let next = AgentKey::random(KeyId(self.next.id.0.wrapping_add(1)))?;
        let current = std::mem::replace(&mut self.next, next);
        let key = std::mem::replace(&mut self.current, current);
        self.previous.insert(0, RetiredKey { key, drop_at });
        Ok(())
    }

    /// The keys as agents receive them.
    pub(crate) fn set(&self) -> AgentKeySet {
        AgentKeySet {
            current: self.current.clone(),
            next: self.next.clone(),
            previous: self
                .previous
                .iter()
                .map(|retired| retired.key.clone())
                .collect(),
            static_key: self.static_key.clone(),
            assertion_key: self.assertion_key.clone(),
        }
    }
}
