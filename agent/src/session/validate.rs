//! Validate(): asked once for however many requests wait.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use policy_protocol::message::{ValidateAnswer, ValidateRequest};
use policy_protocol::{Reason, ResourceContext, Session, SessionId, SessionSpec, Timestamp};

use super::Sessions;
use super::cache::CachedSession;
use crate::site::Site;
use crate::telemetry::metrics::{PolicyAnswer, PolicyCall};

/// Why there is no session to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotValidated {
    /// The policy server says no.
    Refused(Reason),
    /// The policy server could not be asked.
    Unavailable,
}

/// What waits for one call of Validate() gets.
pub type Validated = Result<Arc<CachedSession>, NotValidated>;

/// What an answer, and what becomes of the session, depends on: requests that differ here must not share a call
/// (R5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlightKey {
    session_id: SessionId,
    session_spec: SessionSpec,
    client_address: Option<IpAddr>,
    /// An older cookie may be idle where a newer one of the same spec is not.
    last_access: Timestamp,
    /// A use counts, and what is overlooked does not.
    overlooked: bool,
    started: Option<Timestamp>,
    /// Where the answer depends on it: see [`Site::validates_resources`].
    resource: Option<ResourceContext>,
    /// Whether a session that another cookie has proven by now will do without a call.
    opening: bool,
    /// Of trust: nobody after a gap is let in by a call from before it.
    generation: u64,
}

impl Sessions {
    /// Asks the policy server whether a session is alive, or joins a call that does. `started` is when it began as
    /// its cookie says: other systems do not tell, and what their clients remember of it ends with the process.
    ///
    /// # Errors
    /// See [`NotValidated`].
    pub async fn validate(
        self: &Arc<Self>,
        site: &Site,
        request: ValidateRequest,
        started: Option<Timestamp>,
    ) -> Validated {
        self.fly(site, request, started, false).await
    }

    /// As [`Sessions::validate`], for a cookie whose session was not known a moment ago: what a call that has ended
    /// since has proven is found instead of asked for again.
    ///
    /// # Errors
    /// See [`NotValidated`].
    pub async fn open(
        self: &Arc<Self>,
        site: &Site,
        request: ValidateRequest,
        started: Timestamp,
    ) -> Validated {
        self.fly(site, request, Some(started), true).await
    }

    async fn fly(
        self: &Arc<Self>,
        site: &Site,
        request: ValidateRequest,
        started: Option<Timestamp>,
        opening: bool,
    ) -> Validated {
        let ticket = &request.session;
        let resource = site.validates_resources().then(|| request.resource.clone());
        let key = FlightKey {
            session_id: ticket.session_id,
            session_spec: ticket.session_spec.clone(),
            client_address: request.client_address,
            last_access: request.last_access,
            overlooked: request.overlooked,
            started,
            resource,
            opening,
            generation: self.trust.generation(),
        };
        let sessions = Arc::clone(self);
        let answer = self
            .validations
            .run(key, || async move {
                let ticket = &request.session;
                // Now that no such call is under way, whatever one has proven is in the cache.
                let known = sessions.cache.find(ticket.session_id);
                match known.filter(|known| opening && known.owns_spec(&ticket.session_spec)) {
                    Some(known) => Ok(known),
                    None => sessions.ask(request, started).await,
                }
            })
            .await;
        answer.unwrap_or(Err(NotValidated::Unavailable))
    }

    async fn ask(&self, request: ValidateRequest, started: Option<Timestamp>) -> Validated {
        let id = request.session.session_id;
        let realm_max = request.realm.max_timeout;
        let cached = self.cache.find(id).map(|session| session.state().started);
        let presented = request.session.session_spec.clone();
        let generation = self.trust.generation();
        let asked_at = self.now();
        let answer = self.policy.validate(request).await;
        self.metrics.policy_calls.count(
            PolicyCall::Validate,
            match &answer {
                Ok(ValidateAnswer::Yes { .. }) => PolicyAnswer::Yes,
                Ok(ValidateAnswer::No { .. }) => PolicyAnswer::No,
                Err(_) => PolicyAnswer::Error,
            },
        );
        match answer {
            Ok(ValidateAnswer::Yes { mut session }) if session.id == id => {
                for started in [started, cached].into_iter().flatten() {
                    began(&mut session, started, realm_max);
                }
                self.cache
                    .adopt(*session, generation, asked_at)
                    // While the call still counts as under way: who comes later finds what it has proven.
                    .inspect(|session| session.prove(presented))
                    .map_err(NotValidated::Refused)
            }
            Ok(ValidateAnswer::No { reason }) => {
                if ends_session(reason) {
                    self.cache.end(id, reason);
                }
                Err(NotValidated::Refused(reason))
            }
            Ok(ValidateAnswer::Yes { .. }) | Err(_) => Err(NotValidated::Unavailable),
        }
    }
}

/// Notes that a session began earlier than was told. The end that was told stays, within the realm's max timeout.
fn began(session: &mut Session, started: Timestamp, realm_max: Duration) {
    let earlier = session.started.since(started);
    if started < session.started {
        session.started = started;
        session.max_timeout = (session.max_timeout + earlier).min(realm_max);
    }
}

/// Whether a refusal is about the session itself. Others are about what was presented with its id: that it was
/// idle is what one cookie says, or a realm's own timeout; a newer cookie may say otherwise here or at another
/// agent.
pub const fn ends_session(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::REVOKED_SESSION
            | Reason::EXPIRED_SESSION
            | Reason::USER_DISABLED
            | Reason::USER_LOGOUT
    )
}

/// Whether a refusal holds for what was presented wherever it is presented again, and so need not be asked for. The
/// address may be another one next time; and where the resource decides as well, a refusal without a word about the
/// session may be about that.
pub fn holds_anywhere(site: &Site, reason: Reason) -> bool {
    match site.validates_resources() {
        true => ends_session(reason) || reason == Reason::IDLE_SESSION,
        false => reason != Reason::INVALID_SESSION_IP,
    }
}
