//! Uses of sessions, written to the store together instead of one by one.
//!
//! What is lost with the process only makes a session look idle for longer, by no more than its drift:
//! the session spec at the agent says when it was used, too.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use policy_protocol::{SessionId, Timestamp};

use crate::store::Store;

/// How often the store is told.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);
/// Sessions whose use may wait to be written; about 4 MiB. Others are noted at their next use.
const MAX_WAITING: usize = 100_000;
/// Uses in one call: a second's work for no engine.
const MAX_AT_ONCE: usize = 1000;

/// Uses that the store has not been told of.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<SessionId, Timestamp>>);

impl Uses {
    /// A session was used.
    pub(crate) fn note(&self, id: SessionId, at: Timestamp) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MAX_WAITING || waiting.contains_key(&id) {
            let noted = waiting.entry(id).or_default();
            *noted = at.max(*noted);
        }
    }

    /// The use that the store has not been told of, if there is one.
    pub(crate) fn noted(&self, id: SessionId) -> Option<Timestamp> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.get(&id).copied()
    }

    /// Tells the store.
    pub(crate) async fn write(&self, store: &dyn Store) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let waiting: Vec<_> = waiting.into_iter().collect();
        for uses in waiting.chunks(MAX_AT_ONCE) {
            if let Err(error) = store.touch(uses.to_vec()).await {
                tracing::warn!(%error, "uses of sessions were not written");
            }
        }
    }
}
