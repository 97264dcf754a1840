//! What is done together, or not at all.

use futures_util::future::try_join;
use policy_protocol::EventKind;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::feed::APPEND;
use super::pool::Lease;
use crate::store::StoreError;

/// A transaction of the store that was opened. It is undone unless it is committed.
///
/// So that no two wait for each other, all lock in this order: the user, sessions by id, revocations of
/// sessions by id, of users, of all; a record; the end of the feed.
pub(super) struct Transaction<'a> {
    lease: Lease<'a>,
    /// What [`Self::commit`] appends to the feed.
    events: Vec<String>,
}

impl<'a> Transaction<'a> {
    pub(super) async fn begin(lease: Lease<'a>, identity: &str) -> Result<Self, StoreError> {
        let who = lease.query("SELECT identity FROM doorward.store", &[]);
        let ((), rows) = try_join(lease.run("BEGIN"), who).await?;
        super::same_store(&rows, identity)?;
        Ok(Self {
            lease,
            events: Vec::new(),
        })
    }

    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.lease.query(sql, values).await
    }

    /// Appends to the feed when the transaction is committed.
    pub(super) fn announce(&mut self, event: &EventKind) -> Result<(), StoreError> {
        self.events.push(serde_json::to_string(event)?);
        Ok(())
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let Self { lease, events } = self;
        if events.is_empty() {
            lease.run("COMMIT").await?;
        } else {
            lease.prepare(APPEND).await?;
            // Sent together: nobody else can append until the commit. If the first fails, the server
            // makes the second a rollback.
            let (appended, ()) =
                try_join(lease.query(APPEND, &[&events]), lease.run("COMMIT")).await?;
            if appended.len() != events.len() {
                return Err(StoreError::Replaced);
            }
        }
        lease.release();
        Ok(())
    }
}
