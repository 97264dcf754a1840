//! What stores say of sessions, and are told of them.

use policy_protocol::message::SessionSummary;
use policy_protocol::{SessionId, Timestamp};

/// What a store knows of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether the session, every session of its user, or every session of all was revoked.
    pub revoked: bool,
    /// If the session is in the store: when it was last known to be used.
    pub last_access: Option<Timestamp>,
}

/// A revocation of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The session.
    pub id: SessionId,
    /// Until when the record is needed: the session's latest end.
    pub keep_until: Timestamp,
}

/// How many sessions a user may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// At most so many, the new one included.
    pub sessions: u32,
    /// What gives way to the new session when there are as many already.
    pub on_excess: OnExcess,
}

impl Quota {
    /// Which of a user's `others` give way to a new session, the first ones first; `None` if none may. What it
    /// replaces does not count.
    pub(super) fn gives_way(
        self,
        others: impl Iterator<Item = Ending>,
        replaces: &[Ending],
    ) -> Option<Vec<Ending>> {
        let counts = |other: &Ending| replaces.iter().all(|replaced| replaced.id != other.id);
        let mut others: Vec<_> = others.filter(counts).collect();
        let room = usize::try_from(self.sessions).unwrap_or(usize::MAX);
        let excess = (others.len() + 1).saturating_sub(room);
        if excess > 0 && self.on_excess == OnExcess::Refuse {
            return None;
        }
        others.truncate(excess);
        Some(others)
    }
}

/// What happens at a login beyond the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExcess {
    /// The login is refused.
    Refuse,
    /// The sessions that began first end.
    EndOldest,
    /// The sessions that would end first, by [`ends`], end now.
    EndNextToExpire,
}

/// What became of a new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// It is kept; these others of its user ended for it, because of the quota.
    Kept {
        /// The sessions that gave way.
        ended: Vec<SessionId>,
    },
    /// The user has as many sessions as they may; nothing was changed.
    OverQuota,
}

/// Which sessions to list: those that all given conditions hold for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// A universal id or login name.
    pub user: Option<String>,
    /// The agent that asked for the login.
    pub agent: Option<String>,
    /// The realm that was logged in to.
    pub realm: Option<String>,
    /// Realms that were not logged in to.
    pub except_realms: Vec<String>,
    /// Begun at this time or before.
    pub started_until: Option<Timestamp>,
    /// Begun at this time or after.
    pub started_from: Option<Timestamp>,
}

impl SessionFilter {
    /// Whether a session is one of those.
    pub fn matches(&self, session: &SessionSummary) -> bool {
        let is = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|it| it == has);
        let user = &session.identity;
        (is(&self.user, &user.universal_id) || is(&self.user, &user.user_name))
            && is(&self.agent, &session.agent)
            && is(&self.realm, &session.realm)
            && !self.except_realms.contains(&session.realm)
            && self
                .started_until
                .is_none_or(|until| session.started <= until)
            && self.started_from.is_none_or(|from| session.started >= from)
    }
}

/// A place in a list of sessions: the last one seen. Lists are sorted by start and id, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListCursor {
    /// When it began.
    pub started: Timestamp,
    /// Its id.
    pub id: SessionId,
}

/// A part of a list of sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions, newest first. There may be fewer than asked for, even none, before the end.
    pub sessions: Vec<SessionSummary>,
    /// Where the list goes on, if it does.
    pub next: Option<ListCursor>,
}

/// The most sessions on one page.
pub const MAX_PAGE: usize = 1000;

/// When a session in the store ends if nothing more is heard of it. A store knows of uses late (agents
/// validate once in a validation period, which is at most the idle timeout), so the idle timeout counts
/// twice. Rows whose end has come are neither counted, listed nor found, and are cleaned up.
pub fn ends(session: &SessionSummary, last_access: Timestamp) -> Timestamp {
    if session.idle_timeout.is_zero() {
        session.expires
    } else {
        session
            .expires
            .min(last_access.plus(2 * session.idle_timeout))
    }
}
