//! The feed in PostgreSQL.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::PostgresStore;
use super::connection::Connection;
use crate::store::{FeedPart, MAX_FEED_PART, StoreError, number, place};

pub(super) const LISTEN: &str = "LISTEN doorward_feed";
/// Appends events and wakes who listens, when the transaction is committed. One row for each event.
pub(super) const APPEND: &str = "
    WITH place AS (
        UPDATE doorward.feed_end SET sequence = sequence + cardinality($1::text[]) RETURNING sequence
    ), added AS (
        INSERT INTO doorward.feed
        SELECT place.sequence - cardinality($1::text[]) + new.n, new.event
        FROM place, unnest($1::text[]) WITH ORDINALITY AS new (event, n)
        RETURNING sequence
    )
    SELECT pg_notify('doorward_feed', '') FROM added";
const PART: &str = "
    SELECT store.identity, feed_end.sequence, entry.sequence, entry.event,
        current_setting('transaction_read_only')
    FROM doorward.store CROSS JOIN doorward.feed_end
    LEFT JOIN LATERAL (
        SELECT * FROM doorward.feed WHERE sequence > $1 ORDER BY sequence LIMIT $2
    ) entry ON true
    ORDER BY entry.sequence";

/// The connection that listens and reads, beside the pool: if reading works, so does listening.
#[derive(Default)]
pub(super) struct Tail(Mutex<Option<Arc<Connection>>>);

impl Tail {
    fn set(&self, connection: Option<Arc<Connection>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }

    fn get(&self) -> Option<Arc<Connection>> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.clone().filter(|it| !it.is_closed())
    }
}

/// Until a part has come, the connection may be dead: nobody is to wait for it again, also if whoever
/// asked has given up before we did.
struct Doubt<'a>(Option<&'a Tail>);

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if let Some(tail) = self.0 {
            tail.set(None);
        }
    }
}

impl PostgresStore {
    /// The connection that listens, a new one if there is none.
    async fn tail(&self) -> Result<Arc<Connection>, StoreError> {
        if let Some(connection) = self.tail.get() {
            return Ok(connection);
        }
        let connection = self.pool.connector.connect().await?;
        connection.listen().await?;
        let connection = Arc::new(connection);
        self.tail.set(Some(Arc::clone(&connection)));
        Ok(connection)
    }

    /// See [`crate::store::Store::feed`].
    pub(super) async fn follow(&self, after: u64, wait: Duration) -> Result<FeedPart, StoreError> {
        let mut doubt = Doubt(Some(&self.tail));
        let following = async {
            let connection = self.tail().await?;
            let mut notified = connection.notified();
            notified.mark_unchanged();
            let part = self.part(&connection, after).await?;
            if wait.is_zero() || part != FeedPart::Entries(Vec::new()) {
                return Ok(part);
            }
            // An error is the end of the connection, which reading will find.
            _ = timeout(wait, notified.changed()).await;
            self.part(&connection, after).await
        };
        let limit = wait + super::FEED_TIMEOUT;
        let part = timeout(limit, following)
            .await
            .unwrap_or(Err(StoreError::TimedOut));
        if part.is_ok() {
            doubt.0 = None;
        }
        part
    }

    async fn part(&self, connection: &Connection, after: u64) -> Result<FeedPart, StoreError> {
        let limit = number(MAX_FEED_PART as u64);
        let rows = connection.query(PART, &[&number(after), &limit]).await?;
        self.check(&rows)?;
        if rows.iter().any(|row| row.get::<_, &str>(4) == "on") {
            // Whoever only reads does not notice.
            self.pool.give_up();
            return Err(StoreError::ReadOnly);
        }
        let end = rows.first().map_or(0, |row| place(row.get(1)));
        let mut entries = Vec::new();
        for row in rows {
            if let Some(sequence) = row.get::<_, Option<i64>>(2) {
                let event: &str = row.get(3);
                entries.push((place(sequence), serde_json::from_str(event)?));
            }
        }
        let complete = match entries.first() {
            Some((first, _)) => *first == after + 1,
            None => after == end,
        };
        Ok(if complete {
            FeedPart::Entries(entries)
        } else {
            FeedPart::Gap { end }
        })
    }

    pub(super) async fn end_of_feed(&self) -> Result<u64, StoreError> {
        let sql = "SELECT store.identity, feed_end.sequence
                   FROM doorward.store CROSS JOIN doorward.feed_end";
        let rows = self.read(sql, &[]).await?;
        Ok(rows.first().map_or(0, |row| place(row.get(1))))
    }
}
