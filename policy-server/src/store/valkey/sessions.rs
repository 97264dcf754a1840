//! Sessions in Valkey: what is more than one script.

use std::collections::BTreeMap;
use std::time::Duration;

use policy_protocol::message::SessionSummary;
use policy_protocol::{SessionId, Timestamp};

use super::{ValkeyStore, revoked, scripts};
use crate::store::{
    Ending, Insertion, ListCursor, MAX_PAGE, OnExcess, Quota, SessionFilter, SessionPage,
    StoreError, ends,
};

/// Parts that are looked through for the sessions of a filter before the answer says where it stopped.
const MAX_PARTS: usize = 10;

impl ValkeyStore {
    pub(super) async fn keep(
        &self,
        session: SessionSummary,
        replaces: Vec<Ending>,
        quota: Option<Quota>,
        margin: Duration,
        now: Timestamp,
    ) -> Result<Insertion, StoreError> {
        let id = session.id;
        let own = revoked(id)?;
        let (before, after) = own.split_once(&id.to_string()).unwrap_or_default();
        let on_excess = quota.map_or("refuse", |quota| match quota.on_excess {
            OnExcess::Refuse => "refuse",
            OnExcess::EndOldest => "oldest",
            OnExcess::EndNextToExpire => "next",
        });
        let mut call = self
            .call(&scripts::INSERT)
            .arg(score(now))
            .arg(hex(id))
            .arg(&session.identity.universal_id)
            .arg(&session.identity.user_name)
            .arg(score(session.started))
            .arg(score(session.expires))
            .arg(score(ends(&session, session.last_access)))
            .arg(session.idle_timeout.as_secs())
            .arg(score(session.last_access))
            .arg(serde_json::to_string(&session)?)
            .arg(quota.map_or(-1, |quota| i64::from(quota.sessions)))
            .arg(on_excess)
            .arg(margin.as_secs())
            .arg(before)
            .arg(after)
            .arg(replaces.len());
        for Ending { id, keep_until } in replaces {
            call = call.arg(hex(id)).arg(score(keep_until)).arg(revoked(id)?);
        }
        call = call.arg(id.to_string());
        for (name, value) in &session.properties {
            call = call.arg(name).arg(value);
        }
        let answer: Vec<String> = self.run(call).await?;
        match answer.split_first() {
            Some((kept, ended)) if kept == "kept" => Ok(Insertion::Kept {
                ended: ended
                    .iter()
                    .map(|id| from_hex(id))
                    .collect::<Result<_, _>>()?,
            }),
            _ => Ok(Insertion::OverQuota),
        }
    }

    pub(super) async fn page(
        &self,
        filter: &SessionFilter,
        after: Option<ListCursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<SessionPage, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let mut page = SessionPage {
            sessions: Vec::new(),
            next: after,
        };
        for _ in 0..MAX_PARTS {
            let wanted = limit - page.sessions.len();
            let part = self.list_part(filter, page.next, wanted, now).await?;
            page.sessions.extend(part.sessions);
            page.next = part.next;
            if page.next.is_none() || page.sessions.len() == limit {
                break;
            }
        }
        Ok(page)
    }

    /// One part of a list: the sessions there, and where it goes on.
    async fn list_part(
        &self,
        filter: &SessionFilter,
        after: Option<ListCursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<SessionPage, StoreError> {
        let until = filter.started_until;
        let (from, id) = match (after, until) {
            (Some(after), until) if until.is_none_or(|until| after.started <= until) => {
                (score(after.started), hex(after.id))
            }
            // Beyond every id.
            (_, Some(until)) => (score(until), String::from("z")),
            (_, None) => (String::from("+inf"), String::new()),
        };
        let call = self
            .call(&scripts::LIST)
            .arg(score(now))
            .arg(filter.user.as_deref().unwrap_or_default())
            .arg(from)
            .arg(id)
            .arg(limit)
            .arg(score(filter.started_from.unwrap_or_default()));
        let (last, started, rows): (String, u64, Vec<Row>) = self.run(call).await?;
        let sessions = rows.into_iter().map(session);
        let mut sessions = sessions.collect::<Result<Vec<_>, _>>()?;
        sessions.retain(|session| filter.matches(session));
        let next = (!last.is_empty())
            .then(|| {
                Ok::<_, StoreError>(ListCursor {
                    started: Timestamp(started),
                    id: from_hex(&last)?,
                })
            })
            .transpose()?;
        Ok(SessionPage { sessions, next })
    }
}

/// What the scripts say of a session: the summary, the last access, the properties.
pub(super) type Row = (String, u64, BTreeMap<String, String>);

pub(super) fn session(
    (summary, last_access, properties): Row,
) -> Result<SessionSummary, StoreError> {
    let summary: SessionSummary = serde_json::from_str(&summary)?;
    Ok(SessionSummary {
        last_access: Timestamp(last_access),
        properties,
        ..summary
    })
}

/// Valkey's scores are floating-point numbers: exact for the next 285 million years.
pub(super) fn score(time: Timestamp) -> String {
    time.0.min(1 << 53).to_string()
}

pub(super) fn hex(id: SessionId) -> String {
    policy_protocol::hex::encode(id.as_bytes())
}

fn from_hex(text: &str) -> Result<SessionId, StoreError> {
    let bytes = policy_protocol::hex::decode(text).and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(SessionId::from_bytes)
        .ok_or_else(|| StoreError::Failed(format!("{text:?} is not a session id")))
}
