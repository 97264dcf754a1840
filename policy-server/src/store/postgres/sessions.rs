//! Sessions in PostgreSQL: their life.

use std::collections::BTreeMap;
use std::time::Duration;

use policy_protocol::message::SessionSummary;
use policy_protocol::{SessionId, Timestamp};
use tokio_postgres::Row;

use super::transaction::Transaction;
use super::{PostgresStore, session_id};
use crate::store::{
    Ending, Insertion, OnExcess, Quota, Standing, StoreError, ends, number, seconds, time,
};

/// Logins of one user wait for each other, or both would find room for one more.
const LOCK_USER: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";

/// A session in these columns, if there is one.
pub(super) fn session(
    row: &Row,
    summary: usize,
    last_access: usize,
) -> Result<Option<SessionSummary>, StoreError> {
    let Some(json) = row.get::<_, Option<&str>>(summary) else {
        return Ok(None);
    };
    let session: SessionSummary = serde_json::from_str(json)?;
    Ok(Some(SessionSummary {
        last_access: time(row.get(last_access)),
        ..session
    }))
}

impl PostgresStore {
    pub(super) async fn insert_session(
        &self,
        session: SessionSummary,
        replaces: Vec<Ending>,
        quota: Option<Quota>,
        margin: Duration,
        now: Timestamp,
    ) -> Result<Insertion, StoreError> {
        let mut transaction = self.begin().await?;
        let gives_way = match quota {
            Some(quota) => {
                match gives_way(&transaction, &session, &replaces, quota, margin, now).await? {
                    Some(endings) => endings,
                    None => {
                        transaction.commit().await?;
                        return Ok(Insertion::OverQuota);
                    }
                }
            }
            None => Vec::new(),
        };
        let ended = gives_way.iter().map(|ending| ending.id).collect();
        transaction.end([replaces, gives_way].concat()).await?;
        insert(&transaction, &session).await?;
        transaction.commit().await?;
        Ok(Insertion::Kept { ended })
    }

    pub(super) async fn standing_of(
        &self,
        id: SessionId,
        universal_id: &str,
        started: Timestamp,
    ) -> Result<Standing, StoreError> {
        let sql = "SELECT identity,
                EXISTS (SELECT 1 FROM doorward.revoked_session WHERE id = $1)
                OR EXISTS (SELECT 1 FROM doorward.revoked_user
                           WHERE universal_id = $2 AND through >= $3)
                OR EXISTS (SELECT 1 FROM doorward.revoked_all WHERE through >= $3),
                (SELECT last_access FROM doorward.live_session WHERE id = $1)
            FROM doorward.store";
        let id = id.as_bytes().as_slice();
        let rows = self
            .read(sql, &[&id, &universal_id, &seconds(started)])
            .await?;
        let row = rows.first().ok_or(StoreError::Replaced)?;
        Ok(Standing {
            revoked: row.get(1),
            last_access: row.get::<_, Option<i64>>(2).map(time),
        })
    }

    pub(super) async fn used(&self, uses: Vec<(SessionId, Timestamp)>) -> Result<(), StoreError> {
        let mut latest = BTreeMap::new();
        for (id, at) in uses {
            let known = latest.entry(id).or_insert(at);
            *known = at.max(*known);
        }
        let ids: Vec<&[u8]> = latest.keys().map(|id| id.as_bytes().as_slice()).collect();
        let times: Vec<i64> = latest.values().map(|at| seconds(*at)).collect();
        let transaction = self.begin().await?;
        transaction
            .query(
                "SELECT 1 FROM doorward.session WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE",
                &[&ids],
            )
            .await?;
        // The same sum as `ends`.
        transaction
            .query(
                "UPDATE doorward.session SET last_access = greatest(last_access, used.at),
                     ends = CASE idle_timeout WHEN 0 THEN expires
                         ELSE least(expires, greatest(last_access, used.at) + 2 * idle_timeout) END
                 FROM unnest($1::bytea[], $2::bigint[]) AS used (id, at)
                 WHERE session.id = used.id",
                &[&ids, &times],
            )
            .await?;
        transaction.commit().await
    }

    pub(super) async fn one_session(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<SessionSummary>, StoreError> {
        let sql = "SELECT store.identity, session.summary, session.last_access
                   FROM doorward.store
                   LEFT JOIN doorward.live_session AS session
                       ON session.id = $1 AND session.ends > $2";
        let id = id.as_bytes().as_slice();
        let rows = self.read(sql, &[&id, &seconds(now)]).await?;
        rows.first().map_or(Ok(None), |row| session(row, 1, 2))
    }

    pub(super) async fn change_properties(
        &self,
        id: SessionId,
        changes: BTreeMap<String, Option<String>>,
        now: Timestamp,
    ) -> Result<Option<BTreeMap<String, String>>, StoreError> {
        let transaction = self.begin().await?;
        let id = id.as_bytes().as_slice();
        let rows = transaction
            .query(
                "SELECT summary, last_access FROM doorward.live_session AS session
                 WHERE id = $1 AND ends > $2 FOR NO KEY UPDATE",
                &[&id, &seconds(now)],
            )
            .await?;
        let found = rows.first().map_or(Ok(None), |row| session(row, 0, 1))?;
        let properties = match found {
            Some(mut session) => {
                for (name, value) in changes {
                    match value {
                        Some(value) => session.properties.insert(name, value),
                        None => session.properties.remove(&name),
                    };
                }
                let summary = serde_json::to_string(&session)?;
                let sql = "UPDATE doorward.session SET summary = $2 WHERE id = $1";
                transaction.query(sql, &[&id, &summary]).await?;
                Some(session.properties)
            }
            None => None,
        };
        transaction.commit().await?;
        Ok(properties)
    }
}

/// The sessions that give way to a new one; `None` if none may.
async fn gives_way(
    transaction: &Transaction<'_>,
    session: &SessionSummary,
    replaces: &[Ending],
    quota: Quota,
    margin: Duration,
    now: Timestamp,
) -> Result<Option<Vec<Ending>>, StoreError> {
    let user = &session.identity.universal_id;
    transaction.query(LOCK_USER, &[user]).await?;
    // A statement of its own: it sees what was committed while it waited for the lock.
    let sql = match quota.on_excess {
        OnExcess::Refuse | OnExcess::EndOldest => {
            "SELECT id, expires FROM doorward.live_session
             WHERE universal_id = $1 AND ends > $2 ORDER BY started, id"
        }
        OnExcess::EndNextToExpire => {
            "SELECT id, expires FROM doorward.live_session
             WHERE universal_id = $1 AND ends > $2 ORDER BY ends, id"
        }
    };
    let rows = transaction.query(sql, &[user, &seconds(now)]).await?;
    let others = rows.iter().map(|row| {
        Ok(Ending {
            id: session_id(row.get(0))?,
            keep_until: time(row.get(1)).plus(margin),
        })
    });
    let others = others.collect::<Result<Vec<_>, StoreError>>()?;
    Ok(quota.gives_way(others.into_iter(), replaces))
}

async fn insert(transaction: &Transaction<'_>, session: &SessionSummary) -> Result<(), StoreError> {
    let sql = "INSERT INTO doorward.session (id, universal_id, user_name, agent, realm, started,
                   last_access, expires, ends, idle_timeout, summary)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    transaction
        .query(
            sql,
            &[
                &session.id.as_bytes().as_slice(),
                &session.identity.universal_id,
                &session.identity.user_name,
                &session.agent,
                &session.realm,
                &seconds(session.started),
                &seconds(session.last_access),
                &seconds(session.expires),
                &seconds(ends(session, session.last_access)),
                &number(session.idle_timeout.as_secs()),
                &serde_json::to_string(session)?,
            ],
        )
        .await?;
    Ok(())
}
