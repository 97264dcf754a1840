//! What the dialects have in common: logging in, and opening, asking about, using and ending a session by its
//! token. Everything that lets somebody in goes the same ways as at the gateway.

mod decide;
mod one_time;

use std::collections::BTreeSet;
use std::sync::Arc;

use policy_client::PolicyError;
use policy_protocol::message::{Credentials, SessionTicket, ValidateRequest};
use policy_protocol::session_service::{
    SessionOperation, SessionServiceAnswer, SessionServiceRequest,
};
use policy_protocol::sessions::SessionDetails;
use policy_protocol::{Reason, SessionId, Timestamp};

pub use self::decide::Verdict;
use crate::access::{Visit, realm_context};
use crate::config::Realm;
use crate::http::target::RequestTarget;
use crate::login::logout::{self, ToEnd};
use crate::login::{LoginCall, NotLoggedIn};
use crate::session::Sessions;
use crate::session::cache::CachedSession;
use crate::session::cookie::{INVALID, LOGGED_OFF, SessionClaims};
use crate::session::validate::NotValidated;
use crate::telemetry::metrics::{PolicyAnswer, PolicyCall};

/// The longest token that is looked at, in bytes: as long as the longest cookie.
const MAX_TOKEN: usize = 4096;

/// The policy server cannot be asked: an answer of its own in every dialect, and never a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy server cannot be asked")]
pub struct Unavailable;

impl From<PolicyError> for Unavailable {
    fn from(_: PolicyError) -> Self {
        Self
    }
}

/// What cannot be told (`Unavailable`), and what is answered: yes, or why not.
pub type Answer<T, No = Reason> = Result<Result<T, No>, Unavailable>;

/// Why a login made no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBegun {
    /// Why, as far as the user may know.
    pub reason: Reason,
    /// Whether the credentials are right and the password must be changed first.
    pub must_change: bool,
}

/// A session that has just begun or been used, and its token as of now.
#[derive(Debug)]
pub struct Begun {
    /// The value of SMSESSION.
    pub token: String,
    /// The session.
    pub session: Arc<CachedSession>,
}

/// A token whose seal is ours and whose time is not over. Not yet proof of a living session.
#[derive(Debug)]
pub struct Shown {
    ticket: SessionTicket,
    last_access: Timestamp,
    made_for: Option<String>,
}

impl From<SessionClaims> for Shown {
    fn from(claims: SessionClaims) -> Self {
        Self {
            last_access: claims.last_access,
            ticket: claims.ticket(),
            made_for: claims.made_for,
        }
    }
}

impl Shown {
    /// The session it names.
    pub const fn id(&self) -> SessionId {
        self.ticket.session_id
    }

    /// When it was last used, as far as the token and this agent know.
    pub const fn last_access(&self) -> Timestamp {
        self.last_access
    }
}

/// A session that is alive, without having been used.
#[derive(Debug)]
pub struct Described {
    /// The session, and what will become of it.
    pub details: SessionDetails,
    /// Whether its user may administer sessions of others.
    pub administrator: bool,
    /// The names of the properties that sessions may have.
    pub property_names: BTreeSet<String>,
}

/// One call of a service.
#[derive(Debug)]
pub struct Core<'v> {
    sessions: &'v Arc<Sessions>,
    /// The call as a request.
    pub visit: &'v Visit<'v>,
}

impl<'v> Core<'v> {
    /// The core for a call.
    pub const fn new(sessions: &'v Arc<Sessions>, visit: &'v Visit<'v>) -> Self {
        Self { sessions, visit }
    }

    /// The same for the call as somebody else is to see it.
    pub const fn for_visit<'w>(&self, visit: &'w Visit<'w>) -> Core<'w>
    where
        'v: 'w,
    {
        Core {
            sessions: self.sessions,
            visit,
        }
    }

    /// The realm of this name: configurations without it are not put in force, but realms and listeners may
    /// be of two.
    pub fn realm(&self, name: &str) -> Option<&'v Arc<Realm>> {
        let realms = &self.visit.site.config.realms;
        realms.iter().find(|realm| realm.name == name)
    }

    /// Logs in to a realm, for the resource `target`.
    ///
    /// # Errors
    /// If the policy server gives no answer.
    pub async fn log_in(
        &self,
        realm: &Realm,
        target: &RequestTarget,
        credentials: Credentials,
    ) -> Answer<Begun, NotBegun> {
        // Before the login: a session without a token would be of no use to anybody.
        let sealing = self.sessions.sealing_keys().await;
        sealing.map_err(|_| Unavailable)?;
        let resource = self.visit.resource_context_of(target);
        let call = LoginCall::new(self.visit, realm, resource, credentials, Vec::new());
        let outcome = call.run(self.sessions).await?;
        let session = match outcome {
            Ok(session) => session,
            Err(NotLoggedIn::Refused(reason)) => {
                return Ok(Err(NotBegun {
                    reason,
                    must_change: false,
                }));
            }
            Err(NotLoggedIn::Challenged { reason, .. }) => {
                return Ok(Err(NotBegun {
                    reason,
                    must_change: reason != Reason::TOKEN_CARD_CHALLENGE,
                }));
            }
        };
        match self.token(&session) {
            Ok(token) => Ok(Ok(Begun { token, session })),
            Err(unavailable) => {
                // Nobody could use it, and it would count as one of the user's.
                let _ = logout::end(self.sessions, self.visit, session.ticket()).await;
                Err(unavailable)
            }
        }
    }

    /// Opens a token.
    ///
    /// # Errors
    /// If there are no agent keys.
    pub async fn open(&self, token: &[u8]) -> Answer<Shown> {
        Ok(self.unseal(token).await?.and_then(|it| self.check(it)))
    }

    fn check(&self, claims: SessionClaims) -> Result<Shown, Reason> {
        claims.check_times(self.visit.now)?;
        let bound_to = self.visit.bound_address();
        if bound_to.is_some() && bound_to != claims.client_ip() {
            return Err(Reason::INVALID_SESSION_IP);
        }
        let known = self.sessions.cache.find(claims.session_id);
        let mut shown = Shown::from(claims);
        if let Some(session) = known {
            session.check_alive()?;
            shown.last_access = shown.last_access.max(session.last_access());
        }
        Ok(shown)
    }

    /// Opens a token to end its session: dead or alive, as here is not everywhere.
    ///
    /// # Errors
    /// If there are no agent keys.
    pub async fn open_to_end(&self, token: &[u8]) -> Answer<Shown> {
        Ok(self.unseal(token).await?.map(Shown::from))
    }

    /// Looks at the seal alone.
    async fn unseal(&self, token: &[u8]) -> Answer<SessionClaims> {
        if token.len() > MAX_TOKEN || token == LOGGED_OFF.as_bytes() {
            return Ok(Err(INVALID));
        }
        let zones = &self.visit.site.zones;
        let keys = self.sessions.keys_for(token).await;
        let keys = keys.map_err(|_| Unavailable)?;
        let opened = zones
            .iter()
            .find_map(|zone| SessionClaims::open(token, &keys.ring, &zone.name).ok());
        Ok(opened.ok_or(INVALID))
    }

    /// Asks about a session without using it.
    ///
    /// # Errors
    /// If the policy server gives no answer.
    pub async fn describe(&self, shown: &Shown) -> Answer<Described> {
        match self.ask(shown, SessionOperation::Describe).await? {
            SessionServiceAnswer::Session {
                details,
                administrator,
                property_names,
            } => Ok(Ok(Described {
                details: *details,
                administrator,
                property_names,
            })),
            SessionServiceAnswer::No { reason } => Ok(Err(reason)),
            _ => Err(Unavailable),
        }
    }

    /// Asks whether a session is alive, and counts that as a use of it.
    ///
    /// # Errors
    /// If the policy server gives no answer.
    pub async fn use_session(&self, shown: &Shown, realm: &Realm) -> Answer<Arc<CachedSession>> {
        let request = ValidateRequest {
            session: shown.ticket.clone(),
            resource: self.visit.resource_context(),
            realm: realm_context(realm),
            client_address: self.visit.bound_address(),
            last_access: shown.last_access,
            overlooked: false,
            transaction_id: self.visit.transaction_id.as_str().to_owned(),
        };
        match self.sessions.validate(self.visit.site, request, None).await {
            Ok(session) => {
                if let Some(realm) = &shown.made_for {
                    session.make_for(realm.clone());
                }
                session.touch(self.visit.now);
                Ok(Ok(session))
            }
            Err(NotValidated::Refused(reason)) => Ok(Err(reason)),
            Err(NotValidated::Unavailable) => Err(Unavailable),
        }
    }

    /// Asks the policy server for more than [`Core::describe`] does.
    ///
    /// # Errors
    /// If it gives no answer.
    pub async fn ask(
        &self,
        shown: &Shown,
        operation: SessionOperation,
    ) -> Result<SessionServiceAnswer, Unavailable> {
        send(self.sessions, self.request(shown, operation)).await
    }

    fn request(&self, shown: &Shown, operation: SessionOperation) -> SessionServiceRequest {
        SessionServiceRequest {
            session: shown.ticket.clone(),
            resource: self.visit.resource_context(),
            last_access: shown.last_access,
            operation,
            from: self.visit.origin.address,
            client_address: self.visit.bound_address(),
            transaction_id: self.visit.transaction_id.as_str().to_owned(),
        }
    }

    /// Ends a session that has just begun, for whoever wanted to try a password only.
    ///
    /// # Errors
    /// As for [`Core::end`].
    pub async fn end_begun(&self, begun: &Begun) -> Result<(), Unavailable> {
        Ok(logout::end(self.sessions, self.visit, begun.session.ticket()).await?)
    }

    /// Ends a session everywhere. It is over here even if that fails, and the policy server is told later.
    ///
    /// # Errors
    /// If the policy server cannot be told now.
    pub async fn end(&self, shown: Shown) -> Result<(), Unavailable> {
        Ok(logout::end(self.sessions, self.visit, shown.ticket).await?)
    }

    /// Ends a session everywhere, should the client go away before it is decided what becomes of the call.
    pub(crate) fn to_end(&self, shown: &Shown) -> ToEnd {
        ToEnd::new(self.sessions, self.visit, shown.ticket.clone())
    }

    /// Ends sessions by their ids, by the right of an administrator's: all that were asked for, also if the client
    /// goes away. Whether all have ended; the first that has not is the last that is tried.
    ///
    /// # Errors
    /// If the policy server gives no answer.
    pub async fn end_by_ids(
        &self,
        administrator: &Shown,
        ids: impl Iterator<Item = SessionId>,
    ) -> Result<SessionServiceAnswer, Unavailable> {
        let mut ids: Vec<_> = ids.collect::<BTreeSet<_>>().into_iter().collect();
        // The right to end the others ends with it.
        ids.sort_by_key(|id| *id == administrator.id());
        let requests: Vec<_> = ids
            .into_iter()
            .map(|session_id| {
                let operation = SessionOperation::End { session_id };
                (session_id, self.request(administrator, operation))
            })
            .collect();
        let sessions = Arc::clone(self.sessions);
        let carried_out = self.sessions.carry_out(async move {
            for (session_id, request) in requests {
                let answer = send(&sessions, request).await?;
                if answer != SessionServiceAnswer::Done {
                    return Ok(answer);
                }
                // The event may take a moment.
                sessions.cache.end(session_id, Reason::REVOKED_SESSION);
            }
            Ok(SessionServiceAnswer::Done)
        });
        carried_out.await.unwrap_or(Err(Unavailable))
    }

    /// The token of a session as of now.
    ///
    /// # Errors
    /// If there are no keys, or it does not fit into a cookie.
    pub fn token(&self, session: &Arc<CachedSession>) -> Result<String, Unavailable> {
        let keys = self.sessions.keys.load().map_err(|_| Unavailable)?;
        let writer = self
            .visit
            .cookie_writer(&keys.ring, self.visit.bound_address());
        let token = self.sessions.issue_token(session, self.visit.now, writer);
        token.ok_or_else(|| {
            tracing::error!("a session does not fit into a token: the user's entry is too large");
            Unavailable
        })
    }
}

async fn send(
    sessions: &Sessions,
    request: SessionServiceRequest,
) -> Result<SessionServiceAnswer, Unavailable> {
    let answer = sessions.policy.session_service(request).await;
    let counted = match &answer {
        Ok(SessionServiceAnswer::No { .. } | SessionServiceAnswer::Forbidden) => PolicyAnswer::No,
        Ok(_) => PolicyAnswer::Yes,
        Err(_) => PolicyAnswer::Error,
    };
    let calls = &sessions.metrics.policy_calls;
    calls.count(PolicyCall::SessionService, counted);
    Ok(answer?)
}

#[cfg(test)]
mod tests;
