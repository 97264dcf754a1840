//! The agent keys in force, received from the policy server.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use policy_protocol::{AgentKey, AgentKeyRing, AgentKeySet, KEY_PROPAGATION, Timestamp};

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
    /// When a policy server was asked that said so.
    confirmed: Timestamp,
}

/// What became of keys that a policy server handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// There were newer ones of the same store already, which stay: this policy server is behind.
    Older,
    /// They are in force.
    InForce {
        /// Whether a key was taken away, so that what was opened with it must be forgotten.
        taken: bool,
    },
}

impl LoadedKeys {
    /// Whether they may seal, `now`, a cookie of a session that `started` then.
    ///
    /// A key may have been rolled over since it was last confirmed. It opens for the max timeout and
    /// [`KEY_PROPAGATION`] from then on, so whatever belongs to a session that started earlier than that after
    /// the confirmation can be sealed whenever it is. Cookies of later sessions might not open until their
    /// sessions end.
    pub fn may_seal(&self, started: Timestamp, now: Timestamp) -> bool {
        // The first is enough but for clocks that differ: `started` is by the policy server's.
        now.since(self.confirmed) < KEY_PROPAGATION
            || started <= self.confirmed.plus(KEY_PROPAGATION)
    }
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

    /// Puts keys in force that were `asked` for then, unless there are newer ones. The keys of another store
    /// are neither older nor newer: they are in force if a policy server says so.
    ///
    /// # Errors
    /// If the assertion key cannot be used; the old keys stay.
    pub fn replace(
        &self,
        set: &AgentKeySet,
        asked: Timestamp,
    ) -> Result<Received, crate::access::assertion::InvalidKey> {
        let old = self.loaded.load_full();
        let is_newer =
            |old: &Arc<LoadedKeys>| old.set.store == set.store && old.set.version > set.version;
        if old.as_ref().is_some_and(is_newer) {
            return Ok(Received::Older);
        }
        let new = LoadedKeys {
            ring: AgentKeyRing::new(set),
            assertion: crate::access::assertion::Signer::new(set.assertion_key.expose())?,
            set: set.clone(),
            confirmed: asked,
        };
        let taken =
            old.is_some_and(|old| keys(&old.set).any(|key| !keys(set).any(|new| new == key)));
        self.loaded.store(Some(Arc::new(new)));
        Ok(Received::InForce { taken })
    }
}

/// Every key that opens sessions: what the static key opens is not remembered here.
fn keys(set: &AgentKeySet) -> impl Iterator<Item = &AgentKey> {
    [&set.current, &set.next].into_iter().chain(&set.previous)
}
