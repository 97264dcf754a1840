//! Session ticket keys: what seals session specs. They never leave the policy server.

use policy_protocol::{AgentKey, KeyId, SealingKey, Timestamp};
use serde::{Deserialize, Serialize};

/// Session ticket keys at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TicketKeyState {
    /// Seals specs.
    pub(crate) current: AgentKey,
    /// Open specs that were sealed before a rollover, newest first.
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

impl TicketKeyState {
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        Ok(Self {
            current: AgentKey::random(KeyId(1))?,
            previous: Vec::new(),
        })
    }

    /// A new current key; the old one opens until `drop_at`.
    pub(crate) fn roll(&mut self, drop_at: Timestamp) -> Result<(), getrandom::Error> {
        let new = AgentKey::random(KeyId(self.current.id.0.wrapping_add(1)))?;
        let key = std::mem::replace(&mut self.current, new);
        self.previous.insert(0, RetiredKey { key, drop_at });
        Ok(())
    }
}

/// Session ticket keys, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct TicketKeys {
    current: SealingKey,
    previous: Vec<SealingKey>,
}

impl TicketKeys {
    pub(crate) fn new(state: &TicketKeyState) -> Self {
        let prepare = |key: &AgentKey| SealingKey::new(key.id, key.key.expose());
        Self {
            current: prepare(&state.current),
            previous: state
                .previous
                .iter()
                .map(|retired| prepare(&retired.key))
                .collect(),
        }
    }

    pub(crate) const fn current(&self) -> &SealingKey {
        &self.current
    }

    pub(crate) fn find(&self, id: KeyId) -> Option<&SealingKey> {
        std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|key| key.id() == id)
    }
}
