//! Sessions and revocations in SQLite.

use std::collections::BTreeMap;
use std::time::Duration;

use policy_protocol::message::SessionSummary;
use policy_protocol::{EventKind, SessionId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{SqliteStore, feed};
use crate::store::{
    Ending, Insertion, ListCursor, MAX_PAGE, OnExcess, Quota, SessionFilter, SessionPage, Standing,
    StoreError, StoreFuture, ends, number, seconds, time,
};

impl SqliteStore {
    pub(super) fn insert_session(
        &self,
        session: SessionSummary,
        replaces: Vec<Ending>,
        quota: Option<Quota>,
        margin: Duration,
        now: Timestamp,
    ) -> StoreFuture<'_, Insertion> {
        self.transact(move |transaction| {
            let ended = match quota {
                Some(quota) => {
                    match gives_way(transaction, &session, &replaces, quota, margin, now)? {
                        Some(ended) => ended,
                        None => return Ok(Insertion::OverQuota),
                    }
                }
                None => Vec::new(),
            };
            for ending in replaces.iter().chain(&ended) {
                revoke(transaction, *ending)?;
            }
            insert(transaction, &session)?;
            let ended = ended.iter().map(|ending| ending.id).collect();
            Ok(Insertion::Kept { ended })
        })
    }
}

/// The sessions that give way to a new one; `None` if none may.
fn gives_way(
    transaction: &Transaction<'_>,
    session: &SessionSummary,
    replaces: &[Ending],
    quota: Quota,
    margin: Duration,
    now: Timestamp,
) -> Result<Option<Vec<Ending>>, StoreError> {
    let order = match quota.on_excess {
        OnExcess::Refuse | OnExcess::EndOldest => "started, id",
        OnExcess::EndNextToExpire => "ends, id",
    };
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT id, expires FROM session WHERE universal_id = ? AND ends > ? ORDER BY {order}"
    ))?;
    let values = params![session.identity.universal_id, seconds(now)];
    let others = statement.query_map(values, |row| {
        Ok(Ending {
            id: SessionId::from_bytes(row.get(0)?),
            keep_until: time(row.get(1)?).plus(margin),
        })
    })?;
    let others = others.collect::<Result<Vec<_>, _>>()?;
    Ok(quota.gives_way(others.into_iter(), replaces))
}

fn insert(transaction: &Transaction<'_>, session: &SessionSummary) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![
            session.id.as_bytes(),
            session.identity.universal_id,
            session.identity.user_name,
            session.agent,
            session.realm,
            seconds(session.started),
            seconds(session.last_access),
            seconds(session.expires),
            seconds(ends(session, session.last_access)),
            number(session.idle_timeout.as_secs()),
            serde_json::to_string(session)?,
        ])?;
    Ok(())
}

pub(super) fn standing(
    connection: &Connection,
    id: SessionId,
    universal_id: &str,
    started: Timestamp,
) -> Result<Standing, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM revoked_session WHERE id = ?1)
             OR EXISTS (SELECT 1 FROM revoked_user WHERE universal_id = ?2 AND through >= ?3)
             OR EXISTS (SELECT 1 FROM revoked_all WHERE through >= ?3),
             (SELECT last_access FROM session WHERE id = ?1)",
    )?;
    Ok(statement.query_row(
        params![id.as_bytes(), universal_id, seconds(started)],
        |row| {
            let last_access: Option<i64> = row.get(1)?;
            Ok(Standing {
                revoked: row.get(0)?,
                last_access: last_access.map(time),
            })
        },
    )?)
}

pub(super) fn touch(
    transaction: &Transaction<'_>,
    uses: &[(SessionId, Timestamp)],
) -> Result<(), StoreError> {
    // The same sum as `ends`.
    let mut statement = transaction.prepare_cached(
        "UPDATE session SET last_access = max(last_access, ?2), ends = CASE idle_timeout
             WHEN 0 THEN expires
             ELSE min(expires, max(last_access, ?2) + 2 * idle_timeout) END
         WHERE id = ?1",
    )?;
    for (id, at) in uses {
        statement.execute(params![id.as_bytes(), seconds(*at)])?;
    }
    Ok(())
}

fn row(row: &Row<'_>) -> Result<(String, Timestamp), rusqlite::Error> {
    Ok((row.get(0)?, time(row.get(1)?)))
}

fn decode((json, last_access): (String, Timestamp)) -> Result<SessionSummary, StoreError> {
    let summary: SessionSummary = serde_json::from_str(&json)?;
    Ok(SessionSummary {
        last_access,
        ..summary
    })
}

pub(super) fn get(
    connection: &Connection,
    id: SessionId,
    now: Timestamp,
) -> Result<Option<SessionSummary>, StoreError> {
    let found = connection
        .prepare_cached("SELECT summary, last_access FROM session WHERE id = ? AND ends > ?")?
        .query_row(params![id.as_bytes(), seconds(now)], row)
        .optional()?;
    found.map(decode).transpose()
}

pub(super) fn list(
    connection: &Connection,
    filter: &SessionFilter,
    after: Option<ListCursor>,
    limit: usize,
    now: Timestamp,
) -> Result<SessionPage, StoreError> {
    // A condition that may be absent is looked up in no index: all sessions would be read for one user's.
    let of_user = match filter.user {
        Some(_) => "(universal_id = ?2 OR user_name = ?2)",
        None => "?2 IS NULL",
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT summary, last_access FROM session
         WHERE ends > ?1 AND {of_user}
             AND (?3 IS NULL OR agent = ?3) AND (?4 IS NULL OR realm = ?4)
             AND realm NOT IN (SELECT value FROM json_each(?10))
             AND (?5 IS NULL OR started <= ?5) AND (?6 IS NULL OR started >= ?6)
             AND (?7 IS NULL OR (started, id) < (?7, ?8))
         ORDER BY started DESC, id DESC LIMIT ?9"
    ))?;
    let limit = limit.clamp(1, MAX_PAGE);
    let rows = statement.query_map(
        params![
            seconds(now),
            filter.user,
            filter.agent,
            filter.realm,
            filter.started_until.map(seconds),
            filter.started_from.map(seconds),
            after.map(|after| seconds(after.started)),
            after.map(|after| *after.id.as_bytes()),
            number(limit as u64),
            serde_json::to_string(&filter.except_realms)?,
        ],
        row,
    )?;
    let sessions = rows
        .map(|row| decode(row?))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let next = sessions
        .last()
        .filter(|_| sessions.len() == limit)
        .map(|last| ListCursor {
            started: last.started,
            id: last.id,
        });
    Ok(SessionPage { sessions, next })
}

pub(super) fn set_properties(
    transaction: &Transaction<'_>,
    id: SessionId,
    changes: BTreeMap<String, Option<String>>,
    now: Timestamp,
) -> Result<Option<BTreeMap<String, String>>, StoreError> {
    let Some(mut session) = get(transaction, id, now)? else {
        return Ok(None);
    };
    for (name, value) in changes {
        match value {
            Some(value) => session.properties.insert(name, value),
            None => session.properties.remove(&name),
        };
    }
    transaction.execute(
        "UPDATE session SET summary = ? WHERE id = ?",
        params![serde_json::to_string(&session)?, id.as_bytes()],
    )?;
    Ok(Some(session.properties))
}

pub(super) fn revoke(transaction: &Transaction<'_>, ending: Ending) -> Result<bool, StoreError> {
    let Ending { id, keep_until } = ending;
    let new = transaction
        .prepare_cached("INSERT OR IGNORE INTO revoked_session VALUES (?, ?)")?
        .execute(params![id.as_bytes(), seconds(keep_until)])?;
    transaction
        .prepare_cached("DELETE FROM session WHERE id = ?")?
        .execute([id.as_bytes()])?;
    if new == 1 {
        feed::append(transaction, &EventKind::SessionRevoked { session_id: id })?;
    }
    Ok(new == 1)
}

pub(super) fn revoke_user(
    transaction: &Transaction<'_>,
    universal_id: String,
    through: Timestamp,
    keep_until: Timestamp,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO revoked_user VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET
         through = max(through, ?2), keep_until = max(keep_until, ?3)",
        params![universal_id, seconds(through), seconds(keep_until)],
    )?;
    transaction.execute(
        "DELETE FROM session WHERE universal_id = ? AND started <= ?",
        params![universal_id, seconds(through)],
    )?;
    feed::append(
        transaction,
        &EventKind::UserRevoked {
            universal_id,
            through,
        },
    )
}

pub(super) fn revoke_all(
    transaction: &Transaction<'_>,
    through: Timestamp,
    keep_until: Timestamp,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO revoked_all VALUES (1, ?1, ?2) ON CONFLICT DO UPDATE SET
         through = max(through, ?1), keep_until = max(keep_until, ?2)",
        params![seconds(through), seconds(keep_until)],
    )?;
    transaction.execute("DELETE FROM session WHERE started <= ?", [seconds(through)])?;
    feed::append(transaction, &EventKind::AllRevoked { through })
}

pub(super) fn revoked_through(
    connection: &Connection,
    universal_id: &str,
) -> Result<Option<Timestamp>, StoreError> {
    let through: Option<i64> = connection
        .prepare_cached(
            "SELECT max(through) FROM (
                 SELECT through FROM revoked_user WHERE universal_id = ?
                 UNION ALL SELECT through FROM revoked_all)",
        )?
        .query_row([universal_id], |row| row.get(0))?;
    Ok(through.map(time))
}
