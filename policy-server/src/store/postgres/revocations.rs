//! Revocations in PostgreSQL.

use policy_protocol::{EventKind, SessionId, Timestamp};

use super::transaction::Transaction;
use super::{PostgresStore, session_id};
use crate::store::{Ending, StoreError, seconds, time};

impl Transaction<'_> {
    /// Ends sessions. Returns those for which that is news.
    pub(super) async fn end(
        &mut self,
        mut endings: Vec<Ending>,
    ) -> Result<Vec<SessionId>, StoreError> {
        if endings.is_empty() {
            return Ok(Vec::new());
        }
        endings.sort_by_key(|ending| ending.id);
        let ids: Vec<&[u8]> = endings
            .iter()
            .map(|ending| ending.id.as_bytes().as_slice())
            .collect();
        let keep: Vec<i64> = endings
            .iter()
            .map(|ending| seconds(ending.keep_until))
            .collect();
        self.query(
            "DELETE FROM doorward.session WHERE id IN (
                 SELECT id FROM doorward.session WHERE id = ANY ($1) ORDER BY id FOR UPDATE)",
            &[&ids],
        )
        .await?;
        let rows = self
            .query(
                "INSERT INTO doorward.revoked_session
                 SELECT * FROM unnest($1::bytea[], $2::bigint[]) AS new (id, keep_until) ORDER BY id
                 ON CONFLICT DO NOTHING RETURNING id",
                &[&ids, &keep],
            )
            .await?;
        let mut news = Vec::with_capacity(rows.len());
        for row in rows {
            let session_id = session_id(row.get(0))?;
            self.announce(&EventKind::SessionRevoked { session_id })?;
            news.push(session_id);
        }
        Ok(news)
    }
}

impl PostgresStore {
    pub(super) async fn end_session(&self, ending: Ending) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let news = transaction.end(vec![ending]).await?;
        transaction.commit().await?;
        Ok(!news.is_empty())
    }

    pub(super) async fn end_user(
        &self,
        universal_id: &str,
        through: Timestamp,
        keep_until: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        transaction
            .query(
                "DELETE FROM doorward.session WHERE id IN (
                     SELECT id FROM doorward.session WHERE universal_id = $1 AND started <= $2
                     ORDER BY id FOR UPDATE)",
                &[&universal_id, &seconds(through)],
            )
            .await?;
        transaction
            .query(
                "INSERT INTO doorward.revoked_user AS old VALUES ($1, $2, $3)
                 ON CONFLICT (universal_id) DO UPDATE SET
                     through = greatest(old.through, excluded.through),
                     keep_until = greatest(old.keep_until, excluded.keep_until)",
                &[&universal_id, &seconds(through), &seconds(keep_until)],
            )
            .await?;
        transaction.announce(&EventKind::UserRevoked {
            universal_id: universal_id.to_owned(),
            through,
        })?;
        transaction.commit().await
    }

    /// The rows are left to `remove_expired`; nobody finds them any more.
    pub(super) async fn end_all(
        &self,
        through: Timestamp,
        keep_until: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        transaction
            .query(
                "INSERT INTO doorward.revoked_all AS old (through, keep_until) VALUES ($1, $2)
                 ON CONFLICT (one) DO UPDATE SET
                     through = greatest(old.through, excluded.through),
                     keep_until = greatest(old.keep_until, excluded.keep_until)",
                &[&seconds(through), &seconds(keep_until)],
            )
            .await?;
        transaction.announce(&EventKind::AllRevoked { through })?;
        transaction.commit().await
    }

    pub(super) async fn ended_through(
        &self,
        universal_id: &str,
    ) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT identity, greatest(
                (SELECT through FROM doorward.revoked_user WHERE universal_id = $1),
                (SELECT through FROM doorward.revoked_all))
            FROM doorward.store";
        let rows = self.read(sql, &[&universal_id]).await?;
        let through = rows.first().and_then(|row| row.get::<_, Option<i64>>(1));
        Ok(through.map(time))
    }
}
