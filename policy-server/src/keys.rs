//! All keys of a policy server: kept in the store under the master key, rolled over, dropped when nothing
//! needs them.
//!
//! There is one record for all policy servers. Whoever finds that a rollover is due does it by
//! compare-and-swap; who comes second takes what the first one wrote.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use policy_protocol::administration::{AgentPresence, HeldKeys, RollReason, RollWhich};
use policy_protocol::message::SessionTicket;
use policy_protocol::seal::KEY_LENGTH;
use policy_protocol::{
    AgentKeySet, Clock, EventKind, KEY_PROPAGATION, SealError, Secret, Timestamp,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::agent_keys::AgentKeyState;
use crate::config::Limits;
use crate::master_key::{MasterKey, OpenRecordError};
use crate::rolling_keys::{
    MAX_PREVIOUS, NoRandomness, RollingKeys, UnusableKey, check_new, derived_key, random_key,
};
use crate::store::{RecordChange, RecordKind, Store, StoreError};
use crate::ticket_keys::TicketKeys;

/// A spec whose key is unknown makes a policy server look into the store, but not more often than this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Keys at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyState {
    pub(crate) agent: AgentKeyState,
    pub(crate) ticket: RollingKeys,
    /// When the keys were last rolled over, or made.
    pub(crate) rolled_at: Timestamp,
    pub(crate) rolled_because: RollReason,
}

/// The name of the one record.
const RECORD: &str = "keys";

/// Keys in use.
pub(crate) struct KeysInUse {
    pub(crate) state: KeyState,
    /// Of the record.
    pub(crate) version: u64,
    ticket_keys: Arc<TicketKeys>,
    /// Whether the record is sealed with the previous master key.
    is_stale: bool,
}

impl KeysInUse {
    /// What an agent has that has these.
    pub(crate) fn held(&self) -> HeldKeys {
        HeldKeys {
            version: self.version,
            current: self.state.agent.rolling.current.id,
            next: self.state.agent.rolling.next.id,
        }
    }

    /// The keys that agents receive.
    pub(crate) fn agent_key_set(&self) -> AgentKeySet {
        self.state.agent.set(self.ticket_keys.store(), self.version)
    }
}

/// Why keys could not be loaded or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("the stored keys are {0}")]
    Sealed(#[from] OpenRecordError),
    #[error("the keys cannot be sealed")]
    Sealing(#[from] SealError),
    #[error("the stored keys cannot be read: another version wrote them")]
    Unreadable,
    #[error("there are no keys in the store any more")]
    Gone,
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Why keys are not rolled over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there are agents that do not have the next key yet")]
    AgentsBehind(Vec<AgentPresence>),
    #[error("there are {MAX_PREVIOUS} previous keys already, and the oldest may still be needed")]
    TooMany,
    #[error(transparent)]
    Key(#[from] UnusableKey),
}

/// How to roll over.
#[derive(Debug)]
pub(crate) struct Rollover {
    pub(crate) which: RollWhich,
    /// What to make the next keys from, if not from randomness.
    pub(crate) next: Option<Secret<[u8; KEY_LENGTH]>>,
    pub(crate) reason: RollReason,
    /// Not if the last one was less than this ago.
    pub(crate) unless_within: Duration,
    /// Agents that listen to any policy server.
    pub(crate) agents: Vec<AgentPresence>,
}

/// What became of a copy of the keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changed {
    No,
    /// Nothing that agents have.
    Silently,
    ForAgents,
}

/// All keys of a policy server.
pub(crate) struct Keys {
    store: Arc<dyn Store>,
    master: Arc<MasterKey>,
    clock: Arc<dyn Clock>,
    in_use: RwLock<Arc<KeysInUse>>,
    /// Held by whoever changes keys or takes another store for the right one, over the calls to the store:
    /// keys of one store must never be written into another.
    changing: tokio::sync::Mutex<()>,
    /// When the store was last asked because of an unknown key.
    looked: tokio::sync::Mutex<Option<Instant>>,
    /// How long something sealed with a key may live.
    lifetime: Duration,
}

impl Keys {
    /// Loads the keys, or makes the first ones.
    pub(crate) async fn open(
        store: Arc<dyn Store>,
        master: Arc<MasterKey>,
        max_timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KeyError> {
        let in_use = load_or_make(&*store, &master, &*clock).await?;
        Ok(Self {
            store,
            master,
            clock,
            in_use: RwLock::new(Arc::new(in_use)),
            changing: tokio::sync::Mutex::new(()),
            looked: tokio::sync::Mutex::new(None),
            lifetime: max_timeout + KEY_PROPAGATION,
        })
    }

    /// Takes the keys that are in the store now.
    pub(crate) async fn reload(&self) -> Result<(), KeyError> {
        let _changing = self.changing.lock().await;
        self.load_under_lock().await
    }

    async fn load_under_lock(&self) -> Result<(), KeyError> {
        let loaded = load(&*self.store, &self.master).await?;
        self.put_to_use(loaded.ok_or(KeyError::Gone)?);
        Ok(())
    }

    /// Takes the store that is there now for the right one, and uses its keys, or makes its first ones.
    pub(crate) async fn rejoin(&self) -> Result<String, KeyError> {
        let _changing = self.changing.lock().await;
        let identity = self.store.rejoin().await?;
        self.put_to_use(load_or_make(&*self.store, &self.master, &*self.clock).await?);
        Ok(identity)
    }

    /// Whether the keys are those of the store that is taken for the right one.
    pub(crate) fn are_of_this_store(&self) -> bool {
        self.in_use().ticket_keys.store() == self.store.identity()
    }

    fn put_to_use(&self, keys: KeysInUse) {
        *self.in_use.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// The keys as this policy server knows them.
    pub(crate) fn in_use(&self) -> Arc<KeysInUse> {
        Arc::clone(&self.in_use.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys as the store knows them, for agents: one that is told of a rollover by one policy server
    /// may ask another, which has not heard of it.
    pub(crate) async fn latest(&self) -> Result<Arc<KeysInUse>, KeyError> {
        let record = self.store.record(RecordKind::Keys, RECORD).await?;
        let version = record.ok_or(KeyError::Gone)?.version;
        if version != self.in_use().version {
            self.reload().await?;
        }
        if self.are_of_this_store() {
            Ok(self.in_use())
        } else {
            Err(KeyError::Gone)
        }
    }

    /// Opens and seals session specs.
    pub(crate) fn ticket_keys(&self) -> Arc<TicketKeys> {
        Arc::clone(&self.in_use().ticket_keys)
    }

    /// The same, with the keys of these tickets if the store has them: another policy server may have rolled
    /// over a moment ago.
    pub(crate) async fn ticket_keys_for(
        &self,
        tickets: &[SessionTicket],
    ) -> Result<Arc<TicketKeys>, KeyError> {
        let enough = |keys: &Arc<TicketKeys>| !tickets.iter().any(|it| keys.lack_key_of(it));
        let keys = self.ticket_keys();
        if enough(&keys) {
            return Ok(keys);
        }
        let asked = Instant::now();
        let mut looked = self.looked.lock().await;
        let keys = self.ticket_keys();
        if enough(&keys) || looked.is_some_and(|at| at >= asked) {
            return Ok(keys);
        }
        // Whoever comes meanwhile waits for the same look.
        if let Some(at) = *looked {
            tokio::time::sleep_until(at + LOOK_EVERY).await;
        }
        *looked = Some(Instant::now());
        self.reload().await?;
        Ok(self.ticket_keys())
    }

    /// Rolls keys over. Returns whether that was done: not if it is not due.
    pub(crate) async fn roll(&self, order: &Rollover) -> Result<bool, KeyError> {
        self.change(|keys, state| {
            let now = self.clock.now();
            if now.since(state.rolled_at) < order.unless_within {
                return Ok(Changed::No);
            }
            state.agent.rolling.drop_old(now);
            state.ticket.drop_old(now);
            if order.reason != RollReason::Forced {
                check(keys, order)?;
                let longest = state.agent.rolling.previous.len();
                if longest.max(state.ticket.previous.len()) >= MAX_PREVIOUS {
                    return Err(Refusal::TooMany.into());
                }
            }
            match order.which {
                RollWhich::Rolling => self.roll_over(state, order, now)?,
                RollWhich::Static => {
                    let new = random_key(|id| state.agent.iter().any(|key| key.id == id))?;
                    let old = std::mem::replace(&mut state.agent.static_key, new);
                    // What it sealed may outlive sessions, but nothing is meant to live longer than this.
                    let drop_at = now.plus(Limits::LONGEST + KEY_PROPAGATION);
                    state.agent.rolling.retire(old, drop_at);
                }
            }
            Ok(Changed::ForAgents)
        })
        .await
    }

    fn roll_over(
        &self,
        state: &mut KeyState,
        order: &Rollover,
        now: Timestamp,
    ) -> Result<(), KeyError> {
        let (agent, ticket) = match &order.next {
            None => (
                random_key(|id| state.agent.iter().any(|key| key.id == id))?,
                random_key(|id| state.ticket.iter().any(|key| key.id == id))?,
            ),
            Some(secret) => (
                check_new(derived_key(secret, "agent key")?, state.agent.iter())
                    .map_err(Refusal::from)?,
                check_new(
                    derived_key(secret, "session ticket key")?,
                    state.ticket.iter(),
                )
                .map_err(Refusal::from)?,
            ),
        };
        let drop_at = now.plus(self.lifetime);
        state.agent.rolling.roll(agent, drop_at);
        state.ticket.roll(ticket, drop_at);
        state.rolled_at = now;
        state.rolled_because = order.reason;
        Ok(())
    }

    /// Drops keys that nothing alive was sealed with, and seals the record with the current master key.
    /// Returns whether there was anything to do.
    pub(crate) async fn tidy(&self) -> Result<bool, KeyError> {
        self.change(|keys, state| {
            let now = self.clock.now();
            let count =
                |state: &KeyState| state.agent.rolling.previous.len() + state.ticket.previous.len();
            let before = count(state);
            state.agent.rolling.drop_old(now);
            state.ticket.drop_old(now);
            Ok(if count(state) < before {
                Changed::ForAgents
            } else if keys.is_stale {
                Changed::Silently
            } else {
                Changed::No
            })
        })
        .await
    }

    /// Changes a copy, keeps it in the store, and only then uses it. If another policy server was
    /// faster, its keys are changed, if they still are to be.
    async fn change(
        &self,
        change: impl Fn(&KeysInUse, &mut KeyState) -> Result<Changed, KeyError> + Send + Sync,
    ) -> Result<bool, KeyError> {
        let _changing = self.changing.lock().await;
        loop {
            let keys = self.in_use();
            if !self.are_of_this_store() {
                return Err(KeyError::Gone);
            }
            let mut state = keys.state.clone();
            let announce = match change(&keys, &mut state)? {
                Changed::No => return Ok(false),
                Changed::Silently => None,
                Changed::ForAgents => Some(EventKind::KeysRolled),
            };
            let version = keys.version;
            if save(&*self.store, &self.master, &state, version, announce).await? {
                self.put_to_use(in_use(&*self.store, state, version + 1, false));
                return Ok(true);
            }
            self.load_under_lock().await?;
        }
    }
}

/// Nobody may be caught by the next key.
fn check(keys: &KeysInUse, order: &Rollover) -> Result<(), Refusal> {
    let next = keys.held().next;
    let has_next = |agent: &&AgentPresence| {
        agent
            .keys
            .is_some_and(|held| held.next == next || held.current == next)
    };
    let behind: Vec<_> = order
        .agents
        .iter()
        .filter(|agent| !has_next(agent))
        .cloned()
        .collect();
    // The static key seals at once: there is nothing that anybody could know before.
    if behind.is_empty() || order.which == RollWhich::Static {
        Ok(())
    } else {
        Err(Refusal::AgentsBehind(behind))
    }
}

fn in_use(store: &dyn Store, state: KeyState, version: u64, is_stale: bool) -> KeysInUse {
    KeysInUse {
        version,
        ticket_keys: Arc::new(TicketKeys::new(&state.ticket, store.identity())),
        state,
        is_stale,
    }
}

async fn load(store: &dyn Store, master: &MasterKey) -> Result<Option<KeysInUse>, KeyError> {
    let Some(record) = store.record(RecordKind::Keys, RECORD).await? else {
        return Ok(None);
    };
    let opened = master.open(RecordKind::Keys, RECORD, &record.value)?;
    let state = serde_json::from_slice(opened.plain.expose()).map_err(|_| KeyError::Unreadable)?;
    Ok(Some(in_use(store, state, record.version, opened.is_stale)))
}

/// Whether there are keys, whatever they are sealed with.
pub(crate) async fn exist(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(store.record(RecordKind::Keys, RECORD).await?.is_some())
}

async fn load_or_make(
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

async fn save(
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

#[cfg(test)]
mod tests;
