//! Logout, and what is remembered of it: the service goes on saying yes to the tokens of some sessions.

use policy_protocol::message::{LogoutAnswer, LogoutRequest, SessionTicket};
use policy_protocol::{Reason, SessionId};

use super::AuthAzClient;
use super::answer::Outcome;
use super::request::Operation;
use crate::PolicyError;
use crate::foreign::Link;

/// Logouts remembered at least, some ten megabytes at most: more than there are within the max timeout of a session.
pub(super) const MAX_ENDED: usize = 50_000;

/// Refusals of a logout that are not believed. A session that is over there already is refused for ever.
const MAX_REFUSALS: u32 = 5;

/// What the service has said of a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// That it is one.
    Confirmed,
    /// That it is none, so many times; or nothing yet.
    Refused(u32),
}

impl AuthAzClient {
    /// Whether a session was logged out here.
    pub(super) fn is_ended(&self, id: SessionId) -> bool {
        self.ended.get(id).is_some()
    }

    pub(super) async fn end(&self, request: LogoutRequest) -> Result<LogoutAnswer, PolicyError> {
        let SessionTicket {
            session_id: id,
            session_spec,
        } = request.session;
        // Of any other token nobody knows yet that it ever was one: those must not push real ones out.
        let is_ours = Link::is_begun_here(id) || self.known.get(id).is_some() || self.is_ended(id);
        let refusals = match self.ended.get(id) {
            Some(Ended::Confirmed) => {
                let reason = Reason::USER_LOGOUT;
                return Ok(LogoutAnswer::No { reason });
            }
            Some(Ended::Refused(times)) => times,
            None => 0,
        };
        if is_ours {
            self.ended.insert(id, Ended::Refused(refusals));
            self.known.forget(id);
        }
        let answer = self.send(&Operation::Logout(session_spec.as_str())).await?;
        match answer.outcome {
            Outcome::Yes => {
                self.ended.insert(id, Ended::Confirmed);
                Ok(LogoutAnswer::Yes)
            }
            // It may live on there; whoever tells of it has to try again.
            Outcome::No | Outcome::NotProtected if is_ours && refusals < MAX_REFUSALS => {
                tracing::warn!("the service has not ended a session");
                self.ended.insert(id, Ended::Refused(refusals + 1));
                Err(PolicyError::Failure)
            }
            Outcome::No | Outcome::NotProtected => Ok(LogoutAnswer::No {
                reason: Reason::INVALID_SESSION,
            }),
        }
    }
}
