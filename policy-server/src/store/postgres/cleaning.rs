//! Forgets what has reached its end.

use std::time::{Duration, Instant};

use policy_protocol::Timestamp;

use super::PostgresStore;
use crate::store::{FEED_KEPT, StoreError, number, seconds};

/// How long cleaning goes on at a time.
const LONGEST: Duration = Duration::from_secs(5);
/// Rows deleted in one transaction: few enough that nobody waits for it.
const BATCH: usize = 1000;

/// Each deletes up to $2 rows whose end was $1 or before. Rows that somebody is busy with are passed over.
const SWEEPS: [&str; 6] = [
    "DELETE FROM doorward.session WHERE id IN (
         SELECT id FROM doorward.session WHERE ends <= $1
         ORDER BY ends LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1",
    "DELETE FROM doorward.session WHERE id IN (
         SELECT id FROM doorward.session
         WHERE started <= (SELECT max(through) FROM doorward.revoked_all WHERE through <= $1)
         ORDER BY started LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1",
    "DELETE FROM doorward.revoked_session WHERE id IN (
         SELECT id FROM doorward.revoked_session WHERE keep_until <= $1
         ORDER BY keep_until LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1",
    "DELETE FROM doorward.revoked_user WHERE universal_id IN (
         SELECT universal_id FROM doorward.revoked_user WHERE keep_until <= $1
         ORDER BY keep_until LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1",
    // When no session is left that it hides.
    "DELETE FROM doorward.revoked_all WHERE one IN (
         SELECT one FROM doorward.revoked_all AS ended
         WHERE keep_until <= $1
             AND NOT EXISTS (SELECT 1 FROM doorward.session WHERE started <= ended.through)
         LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1",
    "DELETE FROM doorward.record WHERE (kind, name) IN (
         SELECT kind, name FROM doorward.record WHERE expires <= $1
         ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1",
];
/// Deletes up to $2 of the oldest entries beyond $1: all of them or none, for the feed has no holes.
const TRIM: &str = "
    DELETE FROM doorward.feed WHERE sequence IN (
        SELECT sequence FROM doorward.feed
        WHERE sequence <= (SELECT sequence - $1 FROM doorward.feed_end)
        ORDER BY sequence LIMIT $2) RETURNING 1";

impl PostgresStore {
    /// See [`crate::store::Store::remove_expired`].
    pub(super) async fn clean(&self, now: Timestamp) -> Result<(), StoreError> {
        let start = Instant::now();
        let sweeps = SWEEPS.iter().map(|sql| (*sql, seconds(now)));
        for (sql, value) in sweeps.chain([(TRIM, number(FEED_KEPT))]) {
            while self.call(self.sweep(sql, value)).await? == BATCH {
                if start.elapsed() > LONGEST {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// One statement, in a transaction of its own. Returns how many rows it deleted.
    async fn sweep(&self, sql: &'static str, value: i64) -> Result<usize, StoreError> {
        let transaction = self.begin().await?;
        let rows = transaction
            .query(sql, &[&value, &number(BATCH as u64)])
            .await?;
        transaction.commit().await?;
        Ok(rows.len())
    }
}
