//! Lists of sessions.

use policy_protocol::message::SessionSummary;
use policy_protocol::{SessionId, Timestamp};
use tokio_postgres::Row;

use super::sessions::session;
use super::{PostgresStore, session_id};
use crate::store::{
    ListCursor, MAX_PAGE, SessionFilter, SessionPage, StoreError, number, seconds, time,
};

/// The most rows looked at for one page: a page must be there before the call's deadline, however few
/// sessions match.
const LOOKED_AT: i64 = 20_000;

/// The last row of those that are looked at, if the list goes on after it.
const BOUNDARY: &str = "
    SELECT store.identity, edge.started, edge.id
    FROM doorward.store LEFT JOIN LATERAL (
        SELECT started, id FROM doorward.live_session
        WHERE started BETWEEN $1 AND $2 AND (started, id) < ($3, $4)
        ORDER BY started DESC, id DESC OFFSET $5::bigint - 1 LIMIT 1
    ) edge ON true";
/// Sessions between two places. Written for each of two conditions, so that each has a plan of its own.
macro_rules! between {
    ($condition:literal) => {
        concat!(
            "SELECT store.identity, session.summary, session.last_access
             FROM doorward.store LEFT JOIN LATERAL (
                 SELECT * FROM doorward.live_session
                 WHERE ",
            $condition,
            "    AND started BETWEEN $1 AND $2 AND (started, id) < ($3, $4) AND (started, id) >= ($5, $6)
                 AND ends > $7 AND ($10::text IS NULL OR agent = $10) AND ($11::text IS NULL OR realm = $11)
                 AND realm <> ALL($12::text[])
                 ORDER BY started DESC, id DESC LIMIT $8
             ) session ON true
             ORDER BY session.started DESC, session.id DESC"
        )
    };
}
const OF_USER: &str = between!("(universal_id = $9 OR user_name = $9)");
/// Of anybody: $9 is not given.
const OF_ALL: &str = between!("$9::text IS NULL");

impl PostgresStore {
    pub(super) async fn page(
        &self,
        filter: SessionFilter,
        after: Option<ListCursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<SessionPage, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let from = filter.started_from.map_or(0, seconds);
        let until = filter.started_until.map_or(i64::MAX, seconds);
        // Without a place to go on from, one that is beyond all.
        let (after_start, after_id) = after.map_or_else(
            || (i64::MAX, vec![0xff; SessionId::LENGTH + 1]),
            |after| (seconds(after.started), after.id.as_bytes().to_vec()),
        );
        let boundary = match filter.user {
            Some(_) => None,
            None => {
                let rows = self
                    .read(
                        BOUNDARY,
                        &[&from, &until, &after_start, &after_id, &LOOKED_AT],
                    )
                    .await?;
                rows.first().map_or(Ok(None), cursor)?
            }
        };
        let (least_start, least_id) = boundary.map_or((-1, Vec::new()), |boundary| {
            (seconds(boundary.started), boundary.id.as_bytes().to_vec())
        });
        let sql = if filter.user.is_some() {
            OF_USER
        } else {
            OF_ALL
        };
        let rows = self
            .read(
                sql,
                &[
                    &from,
                    &until,
                    &after_start,
                    &after_id,
                    &least_start,
                    &least_id,
                    &seconds(now),
                    &number(limit as u64),
                    &filter.user,
                    &filter.agent,
                    &filter.realm,
                    &filter.except_realms,
                ],
            )
            .await?;
        let sessions = rows.iter().filter_map(|row| session(row, 1, 2).transpose());
        let sessions = sessions.collect::<Result<Vec<SessionSummary>, _>>()?;
        let last = sessions.last().filter(|_| sessions.len() == limit);
        let next = last.map(|last| ListCursor {
            started: last.started,
            id: last.id,
        });
        Ok(SessionPage {
            next: next.or(boundary),
            sessions,
        })
    }
}

fn cursor(row: &Row) -> Result<Option<ListCursor>, StoreError> {
    let Some(id) = row.get::<_, Option<&[u8]>>(2) else {
        return Ok(None);
    };
    Ok(Some(ListCursor {
        started: time(row.get(1)),
        id: session_id(id)?,
    }))
}
