//! The agent keys in force, received from the policy server.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use policy_protocol::{AgentKey, AgentKeyRing, AgentKeySet};

use crate::session::cookie::KeysMissing;

/// The agent keys, replaced as a whole at each rollover.
#[derive(Debug, Default)]
pub struct AgentKeys {
    loaded: ArcSwapOption<LoadedKeys>,
}

/// One state of the agent keys.
#[derive(Debug)]
pub struct LoadedKeys {
    /// Opens and seals cookies.
    pub ring: AgentKeyRing,
    /// Signs identity assertions.
    pub assertion: crate::access::assertion::Signer,
    /// What both were made from.
    set: AgentKeySet,
}

impl AgentKeys {
    /// The keys.
    ///
    /// # Errors
    /// If the policy server has not been reached since the start.
    pub fn load(&self) -> Result<Arc<LoadedKeys>, KeysMissing> {
        self.loaded.load_full().ok_or(KeysMissing)
    }

    /// Whether there are keys.
    pub fn are_loaded(&self) -> bool {
        self.loaded.load().is_some()
    }

    /// Puts new keys in force. Returns whether a key was taken away, so that what was opened with it must
    /// be forgotten.
    ///
    /// # Errors
    /// If the assertion key cannot be used; the old keys stay.
    pub fn replace(&self, set: &AgentKeySet) -> Result<bool, crate::access::assertion::InvalidKey> {
        let new = LoadedKeys {
            ring: AgentKeyRing::new(set),
            assertion: crate::access::assertion::Signer::new(set.assertion_key.expose())?,
            set: set.clone(),
        };
        let old = self.loaded.load_full();
        let taken =
            old.is_some_and(|old| keys(&old.set).any(|key| !keys(set).any(|new| new == key)));
        self.loaded.store(Some(Arc::new(new)));
        Ok(taken)
    }
}

/// Every key that opens cookies.
fn keys(set: &AgentKeySet) -> impl Iterator<Item = &AgentKey> {
    [&set.current, &set.next, &set.static_key]
        .into_iter()
        .chain(&set.previous)
}
