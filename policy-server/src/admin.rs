//! Sessions administration: what administrators may do, each act recorded.
//!
//! What gives somebody something is recorded before it is done, and once more if it then was not. What ends or takes away
//! is never refused because it cannot be recorded: it is done first, and the call then fails.

mod acts;

use std::collections::BTreeMap;

use policy_client::PolicyError;
use policy_protocol::message::SessionSummary;
use policy_protocol::sessions::{PropertyChanges, SessionDetails, SessionList, SessionQuery};
use policy_protocol::{SessionId, Timestamp};

use crate::audit::Record;
use crate::server::{PolicyServer, failure};
use crate::sessions::SessionError;
use crate::store::{ListCursor, MAX_PAGE, SessionFilter, SessionPage};

/// Sessions on a page unless asked for otherwise.
const PAGE: usize = 100;
/// Bytes of JSON after which a page ends: users with many groups and attributes make large sessions, and
/// clients read answers up to a bound.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

impl PolicyServer {
    /// Sessions, the newest first.
    ///
    /// # Errors
    /// If the place to go on is none, or the store failed.
    pub async fn sessions(&self, query: SessionQuery) -> Result<SessionList, SessionError> {
        Record {
            user: query.user.as_deref().unwrap_or_default(),
            agent: query.agent.as_deref().unwrap_or_default(),
            realm: query.realm.as_deref().unwrap_or_default(),
            ..Record::of_administrator("list")
        }
        .write(&self.audit)
        .await?;
        self.list_sessions(query, Vec::new()).await
    }

    /// The same, unrecorded, and without the sessions of some realms.
    pub(crate) async fn list_sessions(
        &self,
        query: SessionQuery,
        except_realms: Vec<String>,
    ) -> Result<SessionList, SessionError> {
        let after = query.after.as_deref().map(parse_cursor).transpose()?;
        let limit = query.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
        let filter = SessionFilter {
            user: query.user,
            agent: query.agent,
            realm: query.realm,
            except_realms,
            started_until: query.started_until,
            started_from: query.started_from,
        };
        let page = self.store.list(filter, after, limit, self.now()).await;
        let page = shorten(page.map_err(failure)?, MAX_PAGE_BYTES);
        Ok(SessionList {
            sessions: page.sessions,
            next: page.next.map(cursor),
        })
    }

    /// One session, if it is in the store.
    ///
    /// # Errors
    /// If the store failed.
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionDetails>, PolicyError> {
        self.record("show", "", Some(id)).await?;
        self.session_by_id(id).await
    }

    /// Counts as a use of a session, now.
    ///
    /// # Errors
    /// If there is no such session, its time is over, or the store failed.
    pub async fn reset_idle(&self, id: SessionId) -> Result<SessionDetails, SessionError> {
        self.recorded_first("reset-idle", "", Some(id), self.use_session(id))
            .await
    }

    /// Sets and removes properties of a session, and returns those it then has.
    ///
    /// # Errors
    /// If a name is not allowed or a value too long, there is no such session, or the store failed.
    pub async fn set_properties(
        &self,
        id: SessionId,
        changes: PropertyChanges,
    ) -> Result<BTreeMap<String, String>, SessionError> {
        let change = self.change_session_properties(id, changes);
        self.recorded_first("set-properties", "", Some(id), change)
            .await
    }

    /// Ends one session everywhere, persistent or not. Ids that no session has are remembered too:
    /// there is no telling.
    ///
    /// # Errors
    /// If the store failed, and the session may live on; or if it ended and that could not be recorded.
    pub async fn revoke_session(&self, id: SessionId) -> Result<(), PolicyError> {
        let end = self.end_session(id, self.longest_session_from(self.now()));
        self.recorded_after("revoke", "", Some(id), end).await
    }

    /// Ends every session of a user everywhere, persistent or not.
    ///
    /// # Errors
    /// If the store failed, and sessions may live on; or if they ended and that could not be recorded.
    pub async fn revoke_user(&self, universal_id: &str) -> Result<(), PolicyError> {
        let end = self.end_sessions_of(universal_id);
        self.recorded_after("revoke-user", universal_id, None, end)
            .await
    }

    /// Ends every session of all users everywhere, persistent or not.
    ///
    /// # Errors
    /// If the store failed, and sessions may live on; or if they ended and that could not be recorded.
    pub async fn revoke_all(&self) -> Result<(), PolicyError> {
        self.recorded_after("revoke-all", "", None, self.end_all_sessions())
            .await
    }

    async fn end_all_sessions(&self) -> Result<(), PolicyError> {
        let through = self.all_begun_by("").await?;
        let keep_until = self.longest_session_from(through);
        let ended = self.store.revoke_all(through, keep_until).await;
        ended.map_err(failure)
    }
}

/// The page up to so many bytes of JSON, but at least its first session.
fn shorten(page: SessionPage, max_bytes: usize) -> SessionPage {
    let SessionPage { mut sessions, next } = page;
    let mut bytes = 0;
    let too_many = sessions.iter().position(|session| {
        bytes += serde_json::to_vec(session).map_or(0, |json| json.len());
        bytes > max_bytes
    });
    let Some(too_many) = too_many
        .map(|first| first.max(1))
        .filter(|first| *first < sessions.len())
    else {
        return SessionPage { sessions, next };
    };
    sessions.truncate(too_many);
    let next = sessions.last().map(place);
    SessionPage { sessions, next }
}

const fn place(session: &SessionSummary) -> ListCursor {
    ListCursor {
        started: session.started,
        id: session.id,
    }
}

/// A place in a list, as text.
fn cursor(place: ListCursor) -> String {
    format!("{}.{}", place.started.0, place.id)
}

fn parse_cursor(text: &str) -> Result<ListCursor, SessionError> {
    let place = text.split_once('.').and_then(|(started, id)| {
        Some(ListCursor {
            started: Timestamp(started.parse().ok()?),
            id: id.parse().ok()?,
        })
    });
    place.ok_or(SessionError::InvalidCursor)
}
