//! All keys of a policy server: kept in the store under the master key, rolled over, dropped when nothing
//! needs them.
//!
//! There is one record for all policy servers. Whoever finds that a rollover is due does it by
//! compare-and-swap; who comes second takes what the first one wrote.

mod record;
mod rollover;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use policy_protocol::administration::HeldKeys;
use policy_protocol::message::SessionTicket;
use policy_protocol::{AgentKeySet, Clock, EventKind, KEY_PROPAGATION, SealError};
use tokio::time::Instant;

pub(crate) use self::record::exist;
use self::record::{KeyState, RECORD, load, load_or_make, save};
pub(crate) use self::rollover::{Refusal, Rollover};
use crate::master_key::{MasterKey, OpenRecordError};
use crate::rolling_keys::NoRandomness;
use crate::store::{RecordKind, Store, StoreError};
use crate::ticket_keys::TicketKeys;

/// A spec whose key is unknown makes a policy server look into the store, but not more often than this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    fn new(store: &dyn Store, state: KeyState, version: u64, is_stale: bool) -> Self {
        Self {
            version,
            ticket_keys: Arc::new(TicketKeys::new(&state.ticket, store.identity())),
            state,
            is_stale,
        }
    }

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
    #[error("the store did not say a moment ago which keys there are")]
    Unknown,
    #[error(transparent)]
    Refused(#[from] Refusal),
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
    /// When the store was last asked because of an unknown key, and whether it answered.
    looked: tokio::sync::Mutex<Option<(Instant, bool)>>,
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
        if enough(&keys) {
            return Ok(keys);
        }
        // Whoever came meanwhile has waited for the same look. If that failed, nobody knows of the key: who is told of
        // no key takes the session for none.
        if let Some((_, answered)) = looked.filter(|(at, _)| *at >= asked) {
            return answered.then_some(keys).ok_or(KeyError::Unknown);
        }
        if let Some((at, _)) = *looked {
            tokio::time::sleep_until(at + LOOK_EVERY).await;
        }
        // Noted only when it is over: a look that somebody gave up is nobody's.
        let began = Instant::now();
        let reloaded = self.reload().await;
        *looked = Some((began, reloaded.is_ok()));
        reloaded?;
        Ok(self.ticket_keys())
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
                self.put_to_use(KeysInUse::new(&*self.store, state, version + 1, false));
                return Ok(true);
            }
            self.load_under_lock().await?;
        }
    }
}

#[cfg(test)]
mod tests;
