//! The one record of all keys, sealed under the master key.

use policy_protocol::administration::RollReason;
use policy_protocol::{Clock, EventKind, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use super::{KeyError, KeysInUse};
use crate::agent_keys::AgentKeyState;
use crate::master_key::MasterKey;
use crate::rolling_keys::RollingKeys;
use crate::store::{RecordChange, RecordKind, Store, StoreError};

/// Its name.
pub(super) const RECORD: &str = "keys";

/// Keys at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyState {
    pub(crate) agent: AgentKeyState,
    pub(crate) ticket: RollingKeys,
    /// When the keys were last rolled over, or made.
    pub(crate) rolled_at: Timestamp,
    pub(crate) rolled_because: RollReason,
}

pub(super) async fn load(
    store: &dyn Store,
    master: &MasterKey,
) -> Result<Option<KeysInUse>, KeyError> {
    let Some(record) = store.record(RecordKind::Keys, RECORD).await? else {
        return Ok(None);
    };
    let opened = master.open(RecordKind::Keys, RECORD, &record.value)?;
    let state = serde_json::from_slice(opened.plain.expose()).map_err(|_| KeyError::Unreadable)?;
    Ok(Some(KeysInUse::new(
        store,
        state,
        record.version,
        opened.is_stale,
    )))
}

/// Whether there are keys, whatever they are sealed with.
pub(crate) async fn exist(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(store.record(RecordKind::Keys, RECORD).await?.is_some())
}

pub(super) async fn load_or_make(
    store: &dyn Store,
    master: &MasterKey,
    clock: &dyn Clock,
) -> Result<KeysInUse, KeyError> {
    if let Some(keys) = load(store, master).await? {
        return Ok(keys);
    }
    let state = KeyState {
        agent: AgentKeyState::random()?,
        ticket: RollingKeys::random(None)?,
        rolled_at: clock.now(),
        rolled_because: RollReason::First,
    };
    // If it is not saved, another policy server was faster.
    save(store, master, &state, 0, None).await?;
    load(store, master).await?.ok_or(KeyError::Gone)
}

pub(super) async fn save(
    store: &dyn Store,
    master: &MasterKey,
    state: &KeyState,
    expected: u64,
    announce: Option<EventKind>,
) -> Result<bool, KeyError> {
    let plain = Secret::new(serde_json::to_vec(state).map_err(|_| KeyError::Unreadable)?);
    let change = RecordChange {
        kind: RecordKind::Keys,
        name: RECORD.to_owned(),
        value: Some(master.seal(RecordKind::Keys, RECORD, plain.expose())?),
        expected,
        expires: None,
        announce,
    };
    Ok(store.change_record(change).await?)
}
