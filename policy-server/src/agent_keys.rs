//! Agent keys at the place that makes them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use policy_protocol::{AgentKey, AgentKeySet, Secret};
use serde::{Deserialize, Serialize};

use crate::rolling_keys::{NoRandomness, RollingKeys, random_key};

/// Agent keys at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AgentKeyState {
    pub(crate) rolling: RollingKeys,
    pub(crate) static_key: AgentKey,
    /// ECDSA P-256 in PKCS #8 (DER).
    pub(crate) assertion_key: Secret<Vec<u8>>,
}

impl AgentKeyState {
    pub(crate) fn random() -> Result<Self, NoRandomness> {
        let assertion_key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| NoRandomness)?;
        let static_key = random_key(|_| false)?;
        Ok(Self {
            rolling: RollingKeys::random(Some(&static_key))?,
            static_key,
            assertion_key: Secret::new(assertion_key.as_ref().to_vec()),
        })
    }

    /// Every key that opens cookies.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &AgentKey> {
        self.rolling.iter().chain([&self.static_key])
    }

    /// The keys as agents receive them.
    pub(crate) fn set(&self, store: &str, version: u64) -> AgentKeySet {
        let previous = self.rolling.previous.iter();
        AgentKeySet {
            store: store.to_owned(),
            version,
            current: self.rolling.current.clone(),
            next: self.rolling.next.clone(),
            previous: previous.map(|retired| retired.key.clone()).collect(),
            static_key: self.static_key.clone(),
            assertion_key: self.assertion_key.clone(),
        }
    }
}
