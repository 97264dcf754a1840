//! PostgreSQL, for any number of policy servers.
//!
//! The tables are in a schema of their own, `doorward`, and are made at the first start. A policy server
//! keeps a bounded number of connections for calls, and one more that follows the feed. Every answer is
//! checked to come from the store that was opened.

mod cleaning;
mod connection;
mod error;
mod feed;
mod list;
mod pool;
mod records;
mod revocations;
mod schema;
mod sessions;
mod tls;
mod transaction;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use policy_protocol::message::SessionSummary;
use policy_protocol::{EventKind, SessionId, Timestamp};
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use self::connection::Connector;
use self::feed::Tail;
use self::pool::Pool;
use self::transaction::Transaction;
use super::{
    Ending, FeedPart, Insertion, ListCursor, Quota, Record, RecordChange, RecordKind,
    SessionFilter, SessionPage, Standing, Store, StoreError, StoreFuture,
};
use crate::config::store::RemoteStore;

/// How much later than asked for the feed may answer.
const FEED_TIMEOUT: Duration = Duration::from_secs(1);

/// The store.
pub struct PostgresStore {
    pool: Pool,
    tail: Tail,
    identity: Mutex<String>,
    /// The longest a call may take, connecting and waiting for a connection included.
    timeout: Duration,
}

impl PostgresStore {
    /// Connects, and makes the tables if they are absent.
    ///
    /// # Errors
    /// If the server cannot be used, or has tables of another layout.
    pub async fn open(settings: &RemoteStore) -> Result<Self, StoreError> {
        let (timeout, connections) = (settings.timeout, settings.connections.into());
        let settings = settings.clone();
        let connector = tokio::task::spawn_blocking(move || Connector::new(&settings));
        let connector = connector.await.map_err(|_| StoreError::stopped())??;
        let store = Self {
            pool: Pool::new(connector, connections),
            tail: Tail::default(),
            identity: Mutex::default(),
            timeout,
        };
        store.rejoin().await?;
        Ok(store)
    }

    /// A call with a deadline.
    fn call<'a, T: 'a>(
        &'a self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async {
            let answer = timeout(self.timeout, work).await;
            answer.unwrap_or(Err(StoreError::TimedOut))
        })
    }

    async fn begin(&self) -> Result<Transaction<'_>, StoreError> {
        Transaction::begin(self.pool.lease().await?, &self.identity()).await
    }

    /// One statement that reads. Its rows, of which there is always one, begin with the identity.
    async fn read(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let lease = self.pool.lease().await?;
        let rows = lease.query(sql, values).await?;
        lease.release();
        self.check(&rows)?;
        Ok(rows)
    }

    fn check(&self, rows: &[Row]) -> Result<(), StoreError> {
        same_store(rows, &self.identity())
    }
}

/// Checks the identity, which is the first column.
fn same_store(rows: &[Row], identity: &str) -> Result<(), StoreError> {
    match rows.first() {
        Some(row) if row.get::<_, &str>(0) == identity => Ok(()),
        _ => Err(StoreError::Replaced),
    }
}

fn session_id(bytes: &[u8]) -> Result<SessionId, StoreError> {
    let bytes = bytes.try_into();
    bytes
        .map(SessionId::from_bytes)
        .map_err(|_| StoreError::Failed(String::from("a session id of the wrong length")))
}

impl Store for PostgresStore {
    fn identity(&self) -> String {
        let identity = self.identity.lock();
        identity.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn rejoin(&self) -> StoreFuture<'_, String> {
        self.call(async {
            let identity = schema::open(self.pool.lease().await?).await?;
            let mut known = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
            known.clone_from(&identity);
            Ok(identity)
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
        self.call(self.insert_session(session, replaces, quota, margin, now))
    }

    fn standing<'a>(
        &'a self,
        id: SessionId,
        universal_id: &'a str,
        started: Timestamp,
    ) -> StoreFuture<'a, Standing> {
        self.call(self.standing_of(id, universal_id, started))
    }

    fn touch(&self, uses: Vec<(SessionId, Timestamp)>) -> StoreFuture<'_, ()> {
        self.call(self.used(uses))
    }

    fn get(&self, id: SessionId, now: Timestamp) -> StoreFuture<'_, Option<SessionSummary>> {
        self.call(self.one_session(id, now))
    }

    fn list(
        &self,
        filter: SessionFilter,
        after: Option<ListCursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'_, SessionPage> {
        self.call(self.page(filter, after, limit, now))
    }

    fn set_properties(
        &self,
        id: SessionId,
        changes: BTreeMap<String, Option<String>>,
        now: Timestamp,
    ) -> StoreFuture<'_, Option<BTreeMap<String, String>>> {
        self.call(self.change_properties(id, changes, now))
    }

    fn revoke_session(&self, ending: Ending) -> StoreFuture<'_, bool> {
        self.call(self.end_session(ending))
    }

    fn revoke_user<'a>(
        &'a self,
        universal_id: &'a str,
        through: Timestamp,
        keep_until: Timestamp,
    ) -> StoreFuture<'a, ()> {
        self.call(self.end_user(universal_id, through, keep_until))
    }

    fn revoke_all(&self, through: Timestamp, keep_until: Timestamp) -> StoreFuture<'_, ()> {
        self.call(self.end_all(through, keep_until))
    }

    fn revoked_through<'a>(&'a self, universal_id: &'a str) -> StoreFuture<'a, Option<Timestamp>> {
        self.call(self.ended_through(universal_id))
    }

    fn remove_expired(&self, now: Timestamp) -> StoreFuture<'_, ()> {
        Box::pin(self.clean(now))
    }

    fn record<'a>(&'a self, kind: RecordKind, name: &'a str) -> StoreFuture<'a, Option<Record>> {
        self.call(self.one_record(kind, name))
    }

    fn records(&self, kind: RecordKind) -> StoreFuture<'_, BTreeMap<String, Record>> {
        self.call(self.all_records(kind))
    }

    fn change_record(&self, change: RecordChange) -> StoreFuture<'_, bool> {
        self.call(self.change(change))
    }

    fn append(&self, event: EventKind) -> StoreFuture<'_, ()> {
        self.call(async move {
            let mut transaction = self.begin().await?;
            transaction.announce(&event)?;
            transaction.commit().await
        })
    }

    fn feed_end(&self) -> StoreFuture<'_, u64> {
        self.call(self.end_of_feed())
    }

    fn feed(&self, after: u64, wait: Duration) -> StoreFuture<'_, FeedPart> {
        Box::pin(self.follow(after, wait))
    }
}
