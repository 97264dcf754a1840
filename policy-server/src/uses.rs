//! Uses of sessions, written to the store together instead of one by one.
//!
//! What is lost with the process only makes a session look idle for longer, by no more than its drift:
//! the session spec at the agent says when it was used, too.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policy_protocol::{SessionId, Timestamp};

use crate::store::Store;

/// How often the store is told.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);
/// Sessions whose use may wait to be written, also while the store is away; about 4 MiB. Others are noted at their next use.
const MAX_WAITING: usize = 100_000;
/// Uses in one call: a second's work for no engine.
const MAX_AT_ONCE: usize = 1000;

/// Uses that the store has not been told of.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<SessionId, Timestamp>>);

impl Uses {
    /// A session was used.
    pub(crate) fn note(&self, id: SessionId, at: Timestamp) {
        let mut waiting = self.waiting();
        if waiting.len() < MAX_WAITING || waiting.contains_key(&id) {
            let noted = waiting.entry(id).or_default();
            *noted = at.max(*noted);
        }
    }

    /// The use that the store has not been told of, if there is one.
    pub(crate) fn noted(&self, id: SessionId) -> Option<Timestamp> {
        let waiting = self.waiting();
        waiting.get(&id).copied()
    }

    /// Tells the store. What it could not be told waits for the next time.
    pub(crate) async fn write(&self, store: &dyn Store) {
        let waiting: Vec<_> = {
            let waiting = self.waiting();
            waiting.iter().map(|(id, at)| (*id, *at)).collect()
        };
        for uses in waiting.chunks(MAX_AT_ONCE) {
            if let Err(error) = store.touch(uses.to_vec()).await {
                tracing::warn!(%error, "uses of sessions were not written");
                return;
            }
            let mut waiting = self.waiting();
            for (id, at) in uses {
                // Unless there was a later one meanwhile.
                if waiting.get(id) == Some(at) {
                    waiting.remove(id);
                }
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<SessionId, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use policy_protocol::message::SessionSummary;
    use policy_protocol::{AuthScheme, Identity, ProtectionLevel, UserDirectory};

    use super::*;
    use crate::store::sqlite::SqliteStore;

    const ID: SessionId = SessionId::from_bytes([1; 20]);

    fn session() -> SessionSummary {
        SessionSummary {
            id: ID,
            identity: Identity {
                user_name: String::from("alice"),
                user_dn: String::from("uid=alice"),
                universal_id: String::from("alice"),
                directory: UserDirectory::default(),
                groups: Vec::new(),
                attributes: BTreeMap::new(),
            },
            protection_level: ProtectionLevel(5),
            realm: String::from("realm"),
            agent: String::from("agent"),
            client_address: None,
            started: Timestamp(1),
            last_access: Timestamp(1),
            expires: Timestamp(1000),
            idle_timeout: Duration::ZERO,
            auth_scheme: AuthScheme::Form,
            persistent: true,
            properties: BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn a_use_waits_until_the_store_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path()).unwrap();
        let inserted = store.insert(session(), Vec::new(), None, Duration::ZERO, Timestamp(1));
        inserted.await.unwrap();
        let database = rusqlite::Connection::open(dir.path().join("policy-server.sqlite")).unwrap();
        let rename = |from: &str, to: &str| {
            let statement = format!("ALTER TABLE {from} RENAME TO {to}");
            database.execute_batch(&statement).unwrap();
        };
        let uses = Uses::default();
        uses.note(ID, Timestamp(7));
        rename("session", "away");
        uses.write(&store).await;
        assert_eq!(uses.noted(ID), Some(Timestamp(7)));
        uses.note(ID, Timestamp(6));
        rename("away", "session");
        uses.write(&store).await;
        assert_eq!(uses.noted(ID), None);
        let stored = store.get(ID, Timestamp(8)).await.unwrap().unwrap();
        assert_eq!(stored.last_access, Timestamp(7));
    }

    #[test]
    fn no_more_than_so_many_wait() {
        let uses = Uses::default();
        let id = |number: usize| {
            let mut bytes = [0; 20];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            SessionId::from_bytes(bytes)
        };
        for number in 0..=MAX_WAITING {
            uses.note(id(number), Timestamp(1));
        }
        assert_eq!(uses.noted(id(MAX_WAITING)), None);
        uses.note(id(0), Timestamp(2));
        assert_eq!(uses.noted(id(0)), Some(Timestamp(2)));
    }
}
