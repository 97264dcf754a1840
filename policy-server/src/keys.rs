//! All keys of a policy server: kept in the store, rolled over, dropped when nothing needs them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use policy_protocol::{AgentKeySet, EventKind, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::agent_keys::{AgentKeyState, NoRandomness};
use crate::store::{RecordChange, RecordKind, Store, StoreError};
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

/// The name of the one record.
const RECORD: &str = "keys";

/// Keys in use.
struct KeysInUse {
    state: KeyState,
    /// Of the record.
    version: u64,
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
    #[error("there are no keys in the store any more")]
    Gone,
}

/// All keys of a policy server.
pub(crate) struct Keys {
    store: Arc<dyn Store>,
    in_use: RwLock<KeysInUse>,
    /// Held by whoever changes keys, over the write to the store.
    changing: tokio::sync::Mutex<()>,
    /// How long something sealed with a key may live.
    lifetime: Duration,
}

impl KeysInUse {
    fn new(state: KeyState, version: u64) -> Self {
        Self {
            version,
            ticket_keys: Arc::new(TicketKeys::new(&state.ticket)),
            state,
        }
    }
}

impl Keys {
    /// Loads the keys, or makes the first ones.
    pub(crate) async fn open(
        store: Arc<dyn Store>,
        max_timeout: Duration,
        now: Timestamp,
    ) -> Result<Self, KeyError> {
        let in_use = load_or_make(&*store, now).await?;
        Ok(Self {
            store,
            in_use: RwLock::new(in_use),
            changing: tokio::sync::Mutex::new(()),
            lifetime: max_timeout + PROPAGATION,
        })
    }

    /// Takes the keys that are in the store now.
    pub(crate) async fn reload(&self) -> Result<(), KeyError> {
        let _changing = self.changing.lock().await;
        let loaded = load(&*self.store).await?.ok_or(KeyError::Gone)?;
        self.put_to_use(loaded);
        Ok(())
    }

    /// Takes the keys of another store, or makes its first ones.
    pub(crate) async fn replace(&self, now: Timestamp) -> Result<(), KeyError> {
        let _changing = self.changing.lock().await;
        self.put_to_use(load_or_make(&*self.store, now).await?);
        Ok(())
    }

    fn put_to_use(&self, keys: KeysInUse) {
        *self.in_use.write().unwrap_or_else(PoisonError::into_inner) = keys;
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

    /// Changes a copy, keeps it in the store, and only then uses it. If another policy server was
    /// faster, its keys are changed.
    async fn change(
        &self,
        change: impl Fn(&mut KeyState) -> Result<bool, KeyError> + Send + Sync,
    ) -> Result<bool, KeyError> {
        let _changing = self.changing.lock().await;
        loop {
            let (mut state, version) = {
                let in_use = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
                (in_use.state.clone(), in_use.version)
            };
            if !change(&mut state)? {
                return Ok(false);
            }
            if save(&*self.store, &state, version, Some(EventKind::KeysRolled)).await? {
                self.put_to_use(KeysInUse::new(state, version + 1));
                return Ok(true);
            }
            let loaded = load(&*self.store).await?.ok_or(KeyError::Gone)?;
            self.put_to_use(loaded);
        }
    }
}

async fn load(store: &dyn Store) -> Result<Option<KeysInUse>, KeyError> {
    let Some(record) = store.record(RecordKind::Keys, RECORD).await? else {
        return Ok(None);
    };
    let state = serde_json::from_slice(record.value.expose()).map_err(|_| KeyError::Unreadable)?;
    Ok(Some(KeysInUse::new(state, record.version)))
}

async fn load_or_make(store: &dyn Store, now: Timestamp) -> Result<KeysInUse, KeyError> {
    if let Some(keys) = load(store).await? {
        return Ok(keys);
    }
    let ticket = TicketKeyState::random().map_err(NoRandomness::from)?;
    let state = KeyState {
        agent: AgentKeyState::random()?,
        ticket,
        rolled_at: now,
    };
    if save(store, &state, 0, None).await? {
        return Ok(KeysInUse::new(state, 1));
    }
    // Another policy server was faster.
    load(store).await?.ok_or(KeyError::Gone)
}

async fn save(
    store: &dyn Store,
    state: &KeyState,
    expected: u64,
    announce: Option<EventKind>,
) -> Result<bool, KeyError> {
    let value = serde_json::to_vec(state).map_err(|_| KeyError::Unreadable)?;
    let change = RecordChange {
        kind: RecordKind::Keys,
        name: RECORD.to_owned(),
        value: Some(Secret::new(value)),
        expected,
        expires: None,
        announce,
    };
    Ok(store.change_record(change).await?)
}

#[cfg(test)]
mod tests;
