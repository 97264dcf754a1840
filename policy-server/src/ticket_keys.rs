//! Session ticket keys: what seals session specs. They never leave the policy servers.

use policy_protocol::message::SessionTicket;
use policy_protocol::{KeyId, SealingKey, TokenType, seal};

use crate::rolling_keys::RollingKeys;

/// Session ticket keys, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct TicketKeys {
    /// Current first: almost every spec is sealed with it.
    keys: Vec<SealingKey>,
    /// The store that they are from.
    store: String,
}

impl TicketKeys {
    pub(crate) fn new(keys: &RollingKeys, store: String) -> Self {
        let prepare = |key: &policy_protocol::AgentKey| SealingKey::new(key.id, key.key.expose());
        Self {
            keys: keys.iter().map(prepare).collect(),
            store,
        }
    }

    pub(crate) fn current(&self) -> &SealingKey {
        &self.keys[0]
    }

    pub(crate) fn find(&self, id: KeyId) -> Option<&SealingKey> {
        self.keys.iter().find(|key| key.id() == id)
    }

    /// The identity of the store that they are from. Nothing that another store says is about sessions
    /// that these keys open.
    pub(crate) fn store(&self) -> &str {
        &self.store
    }

    /// Whether the key that a ticket's spec names is missing. What names no key is not worth looking for.
    pub(crate) fn lack_key_of(&self, ticket: &SessionTicket) -> bool {
        seal::key_id(
            ticket.session_spec.as_str().as_bytes(),
            TokenType::SessionSpec,
        )
        .is_some_and(|id| self.find(id).is_none())
    }
}
