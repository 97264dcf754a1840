//! Sessions as seen from outside: what there is, what will become of it, and what may be noted about it.
//!
//! Nothing here is audited: whoever asks on somebody's behalf records it, as administration
//! does.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::message::{SessionSummary, SessionTicket};
use policy_protocol::sessions::{EffectiveLimits, PropertyChanges, SessionDetails};
use policy_protocol::{Reason, SessionId, Timestamp};

use crate::calls::NotAlive;
use crate::config::Limits;
use crate::server::{PolicyServer, failure};

/// The longest value of a property, in bytes.
const MAX_VALUE: usize = 1024;

/// Why something could not be done with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// It cannot be told or done now.
    #[error(transparent)]
    Failed(#[from] PolicyError),
    /// There is no such session, or none any more.
    #[error("there is no such session")]
    Unknown,
    /// As far as the policy server knows its time is over, for this reason.
    #[error("the session is over: {}", .0.name())]
    Over(Reason),
    /// A property's name is not one that `[sessions] properties` allows.
    #[error("a property of this name is not allowed")]
    PropertyNotAllowed,
    /// A property's value is longer than 1024 bytes.
    #[error("a property is too long")]
    PropertyTooLong,
    /// The place in a list is none that was given out.
    #[error("this is no place in a list")]
    InvalidCursor,
}

impl PolicyServer {
    /// A session that is in the store and not revoked, without using it. Its time may be over.
    ///
    /// # Errors
    /// If the store failed.
    pub async fn session_by_id(
        &self,
        id: SessionId,
    ) -> Result<Option<SessionDetails>, PolicyError> {
        // Before the store is asked: what is written meanwhile is in the one or in the other.
        let noted = self.uses.noted(id).unwrap_or_default();
        let found = self.store.get(id, self.now()).await.map_err(failure)?;
        Ok(found.map(|session| {
            self.details(SessionSummary {
                last_access: session.last_access.max(noted),
                ..session
            })
        }))
    }

    /// The session of a ticket, if it is alive, without using it; else why it is not. Its user is as the
    /// directory knows them now. `client_address` is where it is shown, if it must be bound to that; `last_access` when it
    /// was last used, as far as whoever asks knows: the latest of that, the spec and the store counts.
    ///
    /// # Errors
    /// If the store or the directory failed.
    pub async fn session_by_ticket(
        &self,
        ticket: &SessionTicket,
        client_address: Option<IpAddr>,
        last_access: Timestamp,
    ) -> Result<Result<SessionDetails, Reason>, PolicyError> {
        let alive = match self.check(ticket, client_address, last_access).await {
            Ok(alive) => alive,
            Err(NotAlive::Unknown(error)) => return Err(error),
            Err(NotAlive::No { reason, .. }) => return Ok(Err(reason)),
        };
        let stored = self.store.get(ticket.session_id, self.now()).await;
        let session = match stored.map_err(failure)? {
            Some(stored) => stored,
            // The store may forget sessions that do not live in it, and with them who asked for the login.
            None => alive
                .spec
                .summary(alive.user.identity.clone(), String::new(), &self.limits),
        };
        Ok(Ok(self.details(SessionSummary {
            identity: alive.user.identity.clone(),
            last_access: alive.last_access,
            ..session
        })))
    }

    /// Counts as a use of a session, now. Agents learn of it when they next validate it.
    ///
    /// # Errors
    /// If there is no such session, its time is over, or the store failed.
    pub async fn use_session(&self, id: SessionId) -> Result<SessionDetails, SessionError> {
        let session = self.session_by_id(id).await?.ok_or(SessionError::Unknown)?;
        let now = self.now();
        if session.limits.ends <= now {
            return Err(SessionError::Over(session.limits.because));
        }
        self.store.touch(vec![(id, now)]).await.map_err(failure)?;
        // It may have been ended meanwhile; a use does not bring it back.
        self.session_by_id(id).await?.ok_or(SessionError::Unknown)
    }

    /// Sets and removes properties of a session, all or none, and returns those it then has.
    ///
    /// # Errors
    /// If a name is not allowed or a value too long, there is no such session, or the store failed.
    pub async fn change_session_properties(
        &self,
        id: SessionId,
        changes: PropertyChanges,
    ) -> Result<BTreeMap<String, String>, SessionError> {
        for (name, value) in &changes {
            if !self.sessions.properties.contains(name) {
                return Err(SessionError::PropertyNotAllowed);
            }
            if value.as_ref().is_some_and(|value| value.len() > MAX_VALUE) {
                return Err(SessionError::PropertyTooLong);
            }
        }
        self.store
            .set_properties(id, changes, self.now())
            .await
            .map_err(failure)?
            .ok_or(SessionError::Unknown)
    }

    fn details(&self, session: SessionSummary) -> SessionDetails {
        SessionDetails {
            limits: effective_limits(&session, &self.limits),
            session,
        }
    }
}

fn effective_limits(session: &SessionSummary, limits: &Limits) -> EffectiveLimits {
    let idle_timeout = limits.idle(session.idle_timeout);
    let max_timeout = limits.max(session.expires.since(session.started));
    let max_end = session.started.plus(max_timeout);
    let idle_end = (idle_timeout > Duration::ZERO).then(|| session.last_access.plus(idle_timeout));
    let (ends, because) = match idle_end.filter(|end| *end < max_end) {
        Some(end) => (end, Reason::IDLE_SESSION),
        None => (max_end, Reason::EXPIRED_SESSION),
    };
    EffectiveLimits {
        idle_timeout,
        max_timeout,
        idle_end,
        max_end,
        ends,
        because,
    }
}
