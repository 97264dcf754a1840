//! Valkey (or Redis), shared by any number of policy servers.
//!
//! Every call is one script, and so one transaction. How durable a change is when it is acknowledged is
//! the server's `appendfsync`: with `always` it survives the end of the server and of the machine. With
//! `everysec` the changes of up to two seconds may be lost with either: while the server waits for the disk, it
//! acknowledges what it has not written yet. Such a server is used only if the configuration allows it.

mod feed;
mod link;
mod scripts;
mod sessions;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use policy_protocol::message::SessionSummary;
use policy_protocol::{EventKind, Secret, SessionId, Timestamp};
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Script, ScriptInvocation};
use tokio::sync::Mutex;

use self::link::Link;
use self::sessions::{Row, hex, score, session};
use super::{
    Ending, FeedPart, Insertion, ListCursor, Quota, Record, RecordChange, RecordKind,
    SessionFilter, SessionPage, Standing, Store, StoreError, StoreFuture, first_version,
};
use crate::config::store::RemoteStore;

/// Where the identity is; the scripts know the other keys.
const IDENTITY: &str = "{doorward}:identity";
/// Steps of a thousand sessions that one call forgets at most.
const MAX_STEPS: usize = 100;

/// The store.
pub struct ValkeyStore {
    link: Link,
    identity: RwLock<Arc<str>>,
    /// The connection on which the feed is waited for: a wait blocks all that comes after it.
    waiting: Mutex<Option<MultiplexedConnection>>,
}

impl From<redis::ParsingError> for StoreError {
    fn from(error: redis::ParsingError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// One call: a script with its arguments.
struct Call<'s>(ScriptInvocation<'s>);

impl<'s> Call<'s> {
    fn new(script: &'s Script, identity: &str) -> Self {
        let mut invocation = script.prepare_invoke();
        invocation.key(IDENTITY).arg(identity);
        Self(invocation)
    }

    fn arg(mut self, value: impl redis::ToRedisArgs) -> Self {
        self.0.arg(value);
        self
    }
}

impl ValkeyStore {
    /// Connects, and gives an empty store an identity.
    ///
    /// # Errors
    /// If the server cannot be reached, or is one that could forget what it is told.
    pub async fn open(settings: &RemoteStore) -> Result<Self, StoreError> {
        let store = Self {
            link: Link::new(settings)?,
            identity: RwLock::new(Arc::from("")),
            waiting: Mutex::new(None),
        };
        store.rejoin().await?;
        Ok(store)
    }

    fn call<'s>(&self, script: &'s Script) -> Call<'s> {
        Call::new(
            script,
            &self.identity.read().unwrap_or_else(PoisonError::into_inner),
        )
    }

    async fn run<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, StoreError> {
        let (number, mut connection) = self.link.connection().await?;
        // The first call of a script sends it twice.
        let limit = 2 * self.link.timeout();
        let outcome = tokio::time::timeout(limit, call.0.invoke_async(&mut connection))
            .await
            .map_err(|_| StoreError::TimedOut)
            .and_then(|outcome| Ok(outcome?));
        if matches!(outcome, Err(StoreError::Failed(_) | StoreError::TimedOut)) {
            self.link.discard(number).await;
        }
        outcome
    }
}

fn event(kind: &EventKind) -> Result<String, StoreError> {
    Ok(serde_json::to_string(kind)?)
}

fn revoked(session_id: SessionId) -> Result<String, StoreError> {
    event(&EventKind::SessionRevoked { session_id })
}

impl Store for ValkeyStore {
    fn identity(&self) -> String {
        let identity = self.identity.read().unwrap_or_else(PoisonError::into_inner);
        identity.to_string()
    }

    fn rejoin(&self) -> StoreFuture<'_, String> {
        Box::pin(async move {
            let name = SessionId::random()
                .map_err(|error| StoreError::Failed(error.to_string()))?
                .to_string();
            let (number, mut connection) = self.link.connection().await?;
            let read = async {
                let mut both = redis::pipe();
                both.atomic();
                both.cmd("SET").arg(IDENTITY).arg(name).arg("NX").ignore();
                both.cmd("GET").arg(IDENTITY);
                let (identity,): (String,) = both.query_async(&mut connection).await?;
                Ok(identity)
            };
            match read.await {
                Ok(identity) => {
                    *self
                        .identity
                        .write()
                        .unwrap_or_else(PoisonError::into_inner) = identity.as_str().into();
                    Ok(identity)
                }
                Err(error) => {
                    self.link.discard(number).await;
                    Err(error)
                }
            }
        })
    }

    fn insert(
        &self,
        session: SessionSummary,
        replaces: Vec<Ending>,
        quota: Option<Quota>,
        margin: Duration,
        now: Timestamp,
    ) -> StoreFuture<'_, Insertion> {
        Box::pin(self.keep(session, replaces, quota, margin, now))
    }

    fn standing<'a>(
        &'a self,
        id: SessionId,
        universal_id: &'a str,
        started: Timestamp,
    ) -> StoreFuture<'a, Standing> {
        Box::pin(async move {
            let call = self.call(&scripts::STANDING);
            let call = call.arg(hex(id)).arg(universal_id).arg(score(started));
            let (revoked, access): (bool, Option<u64>) = self.run(call).await?;
            Ok(Standing {
                revoked,
                last_access: access.map(Timestamp),
            })
        })
    }

    fn touch(&self, uses: Vec<(SessionId, Timestamp)>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut call = self.call(&scripts::TOUCH);
            for (id, at) in uses {
                call = call.arg(hex(id)).arg(score(at));
            }
            self.run(call).await
        })
    }

    fn get(&self, id: SessionId, now: Timestamp) -> StoreFuture<'_, Option<SessionSummary>> {
        Box::pin(async move {
            let call = self.call(&scripts::GET).arg(hex(id)).arg(score(now));
            let rows: Vec<Row> = self.run(call).await?;
            rows.into_iter().next().map(session).transpose()
        })
    }

    fn list(
        &self,
        filter: SessionFilter,
        after: Option<ListCursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'_, SessionPage> {
        Box::pin(async move { self.page(&filter, after, limit, now).await })
    }

    fn set_properties(
        &self,
        id: SessionId,
        changes: BTreeMap<String, Option<String>>,
        now: Timestamp,
    ) -> StoreFuture<'_, Option<BTreeMap<String, String>>> {
        Box::pin(async move {
            let (set, removed): (Vec<_>, Vec<_>) =
                changes.into_iter().partition(|(_, value)| value.is_some());
            let call = self.call(&scripts::SET_PROPERTIES);
            let mut call = call.arg(hex(id)).arg(score(now)).arg(set.len());
            for (name, value) in set {
                call = call.arg(name).arg(value);
            }
            for (name, _) in removed {
                call = call.arg(name);
            }
            let found: Vec<BTreeMap<String, String>> = self.run(call).await?;
            Ok(found.into_iter().next())
        })
    }

    fn revoke_session(&self, ending: Ending) -> StoreFuture<'_, bool> {
        Box::pin(async move {
            let call = self.call(&scripts::REVOKE_SESSION);
            let call = call.arg(hex(ending.id)).arg(score(ending.keep_until));
            self.run(call.arg(revoked(ending.id)?)).await
        })
    }

    fn revoke_user<'a>(
        &'a self,
        universal_id: &'a str,
        through: Timestamp,
        keep_until: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let told = event(&EventKind::UserRevoked {
                universal_id: universal_id.to_owned(),
                through,
            })?;
            let call = self.call(&scripts::REVOKE_USER).arg(universal_id);
            self.run(call.arg(score(through)).arg(score(keep_until)).arg(told))
                .await
        })
    }

    fn revoke_all(&self, through: Timestamp, keep_until: Timestamp) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let told = event(&EventKind::AllRevoked { through })?;
            let call = self.call(&scripts::REVOKE_ALL);
            self.run::<()>(call.arg(score(through)).arg(score(keep_until)).arg(told))
                .await?;
            // They are dead already. What is left after this is forgotten at its end.
            for _ in 0..MAX_STEPS {
                let call = self.call(&scripts::FORGET_REVOKED).arg(score(through));
                if self.run::<usize>(call).await? == 0 {
                    break;
                }
            }
            Ok(())
        })
    }

    fn revoked_through<'a>(&'a self, universal_id: &'a str) -> StoreFuture<'a, Option<Timestamp>> {
        Box::pin(async move {
            let call = self.call(&scripts::REVOKED_THROUGH).arg(universal_id);
            let through: i64 = self.run(call).await?;
            Ok(u64::try_from(through).ok().map(Timestamp))
        })
    }

    fn remove_expired(&self, now: Timestamp) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            for _ in 0..MAX_STEPS {
                let call = self.call(&scripts::REMOVE_EXPIRED).arg(score(now));
                if self.run::<usize>(call).await? == 0 {
                    break;
                }
            }
            Ok(())
        })
    }

    fn record<'a>(&'a self, kind: RecordKind, name: &'a str) -> StoreFuture<'a, Option<Record>> {
        Box::pin(async move {
            let call = self.call(&scripts::RECORD).arg(kind.name()).arg(name);
            let found: Vec<(Vec<u8>, u64)> = self.run(call).await?;
            Ok(found.into_iter().next().map(|(value, version)| Record {
                value: Secret::new(value),
                version,
            }))
        })
    }

    fn records(&self, kind: RecordKind) -> StoreFuture<'_, BTreeMap<String, Record>> {
        Box::pin(async move {
            let call = self.call(&scripts::RECORDS).arg(kind.name());
            let rows: Vec<(String, Vec<u8>, u64)> = self.run(call).await?;
            let records = rows.into_iter().map(|(name, value, version)| {
                let value = Secret::new(value);
                (name, Record { value, version })
            });
            Ok(records.collect())
        })
    }

    fn change_record(&self, change: RecordChange) -> StoreFuture<'_, bool> {
        Box::pin(async move {
            let announce = change.announce.as_ref().map(event).transpose()?;
            let (how, value) = match &change.value {
                Some(value) => ("set", value.expose().as_slice()),
                None => ("remove", &[][..]),
            };
            let call = self
                .call(&scripts::CHANGE_RECORD)
                .arg(change.kind.name())
                .arg(&change.name)
                .arg(change.expected)
                .arg(how)
                .arg(value)
                .arg(change.expires.map(score).unwrap_or_default())
                .arg(announce.unwrap_or_default())
                .arg(first_version()?);
            self.run(call).await
        })
    }

    fn append(&self, kind: EventKind) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let call = self.call(&scripts::APPEND).arg(event(&kind)?);
            self.run(call).await
        })
    }

    fn feed_end(&self) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            // The script that reads the feed says where it ends, whatever it is asked.
            let call = self.call(&scripts::FEED).arg(u64::MAX).arg(1);
            let (end, _, _): (u64, u64, Vec<String>) = self.run(call).await?;
            Ok(end)
        })
    }

    fn feed(&self, after: u64, wait: Duration) -> StoreFuture<'_, FeedPart> {
        Box::pin(async move {
            let part = self.read_feed(after).await?;
            if part != FeedPart::Entries(Vec::new()) || wait.is_zero() {
                return Ok(part);
            }
            self.wait_for_feed(after, wait).await?;
            self.read_feed(after).await
        })
    }
}
