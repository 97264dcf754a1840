//! All keys of a policy server: kept in the store, rolled over, dropped when nothing needs them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use policy_protocol::{AgentKeySet, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::agent_keys::{AgentKeyState, NoRandomness};
use crate::store::{KeyStore, StoreError};
use crate::ticket_keys::{TicketKeyState, TicketKeys};

/// Agents learn of a rollover by an event, and by asking now and then if they missed it. Until then
/// they go on sealing with the old key.
const PROPAGATION: Duration = Duration::from_secs(600);

/// Keys at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeyState {
    agent: AgentKeyState,
    ticket: TicketKeyState,
    /// When the keys were last rolled over, or made.
    rolled_at: Timestamp,
}

/// Keys in use.
struct KeysInUse {
    state: KeyState,
    ticket_keys: Arc<TicketKeys>,
}

/// Why keys could not be loaded or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("the stored keys cannot be read")]
    Unreadable,
}

/// All keys of a policy server.
pub(crate) struct Keys {
    store: Arc<dyn KeyStore>,
    in_use: RwLock<KeysInUse>,
    /// Held by whoever changes keys, over the write to the store.
    changing: tokio::sync::Mutex<()>,
    /// How long something sealed with a key may live.
    lifetime: Duration,
}

impl KeysInUse {
    fn new(state: KeyState) -> Self {
        Self {
            ticket_keys: Arc::new(TicketKeys::new(&state.ticket)),
            state,
        }
    }
}

impl Keys {
    /// Loads the keys, or makes the first ones. Blocks.
    pub(crate) fn open(
        store: Arc<dyn KeyStore>,
        max_timeout: Duration,
        now: Timestamp,
    ) -> Result<Self, KeyError> {
        let state = match store.load_keys()? {
            Some(bytes) => {
                serde_json::from_slice(bytes.expose()).map_err(|_| KeyError::Unreadable)?
            }
            None => {
                let ticket = TicketKeyState::random().map_err(NoRandomness::from)?;
                let state = KeyState {
                    agent: AgentKeyState::random()?,
                    ticket,
                    rolled_at: now,
                };
                store.save_keys(&encode(&state)?)?;
                state
            }
        };
        Ok(Self {
            store,
            in_use: RwLock::new(KeysInUse::new(state)),
            changing: tokio::sync::Mutex::new(()),
            lifetime: max_timeout + PROPAGATION,
        })
    }

    /// Opens and seals session specs.
    pub(crate) fn ticket_keys(&self) -> Arc<TicketKeys> {
        Arc::clone(
            &self
                .in_use
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .ticket_keys,
        )
    }

    /// The keys that agents receive.
    pub(crate) fn agent_key_set(&self) -> AgentKeySet {
        self.in_use
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .state
            .agent
            .set()
    }

    /// When the keys were last rolled over.
    pub(crate) fn rolled_at(&self) -> Timestamp {
        self.in_use
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .state
            .rolled_at
    }

    /// Rolls all keys over.
    pub(crate) async fn roll(&self, now: Timestamp) -> Result<(), KeyError> {
        let drop_at = now.plus(self.lifetime);
        self.change(|state| {
            state.agent.roll(drop_at)?;
            state.ticket.roll(drop_at).map_err(NoRandomness::from)?;
            state.rolled_at = now;
            Ok(true)
        })
        .await?;
        Ok(())
    }

    /// Drops keys that nothing alive was sealed with. Returns whether there were any.
    pub(crate) async fn drop_old(&self, now: Timestamp) -> Result<bool, KeyError> {
        self.change(|state| {
            let before = state.agent.previous.len() + state.ticket.previous.len();
            state.agent.previous.retain(|retired| retired.drop_at > now);
            state
                .ticket
                .previous
                .retain(|retired| retired.drop_at > now);
            Ok(state.agent.previous.len() + state.ticket.previous.len() < before)
        })
        .await
    }

    /// Changes a copy, keeps it in the store, and only then uses it.
    async fn change(
        &self,
        change: impl FnOnce(&mut KeyState) -> Result<bool, KeyError> + Send,
    ) -> Result<bool, KeyError> {
        let _changing = self.changing.lock().await;
        let mut state = self
            .in_use
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .state
            .clone();
        if !change(&mut state)? {
            return Ok(false);
        }
        let (store, bytes) = (Arc::clone(&self.store), encode(&state)?);
        tokio::task::spawn_blocking(move || store.save_keys(&bytes))
            .await
            .map_err(|_| StoreError::stopped())??;
        *self.in_use.write().unwrap_or_else(PoisonError::into_inner) = KeysInUse::new(state);
        Ok(true)
    }
}

fn encode(state: &KeyState) -> Result<Secret<Vec<u8>>, KeyError> {
    serde_json::to_vec(state)
        .map(Secret::new)
        .map_err(|_| KeyError::Unreadable)
}

#[cfg(test)]
mod tests;
