//! What the dialects have in common: logging in, and opening, asking about, using and ending a session by its
//! token. Everything that lets somebody in goes the same ways as at the gateway.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use policy_client::PolicyError;
use policy_protocol::message::{Credentials, SessionTicket, ValidateRequest};
use policy_protocol::session_service::{
    SessionOperation, SessionServiceAnswer, SessionServiceRequest,
};
use policy_protocol::sessions::SessionDetails;
use policy_protocol::{Reason, Timestamp, TokenType, seal};

use crate::access::authenticate::{authenticate, by_cookies};
use crate::access::authorize::authorize;
use crate::access::protection::Protection;
use crate::access::{Denial, Grant, Visit, realm_context};
use crate::config::Realm;
use crate::http::target::RequestTarget;
use crate::login::{LoginCall, NotLoggedIn, logout};
use crate::session::Sessions;
use crate::session::cache::CachedSession;
use crate::session::cookie::{INVALID, LOGGED_OFF, SessionClaims, names_unknown_key};
use crate::session::reissue::value_of;
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
}

impl From<SessionClaims> for Shown {
    fn from(claims: SessionClaims) -> Self {
        Self {
            last_access: claims.last_access,
            ticket: SessionTicket {
                session_id: claims.session_id,
                session_spec: claims.session_spec(),
            },
        }
    }
}

impl Shown {
    /// The session it names.
    pub const fn id(&self) -> policy_protocol::SessionId {
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
}

/// What the gateway would say to a request.
#[derive(Debug)]
pub enum Verdict {
    /// It would pass without a session.
    NotProtected,
    /// It would pass as this user's.
    Granted {
        /// The session.
        session: Arc<CachedSession>,
        /// What application and browser would be told.
        grant: Box<Grant>,
        /// A newer token, if one is due.
        renewed: Option<String>,
    },
    /// It would not pass: [`Denial::Challenge`], `Forbidden`, `Elsewhere`, `NotFound`, `MethodNotAllowed` or
    /// `BadRequest`.
    Denied(Denial),
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

    /// Marks a one-time text as used, for as long as it could be shown again. Of several calls with the same
    /// text, one is told yes.
    pub fn claim(&self, text: &str, lifetime: std::time::Duration) -> bool {
        self.sessions.used_once.claim(text.to_owned(), (), lifetime)
    }

    /// Takes a claim back: what it was made for did not come to pass.
    pub fn unclaim(&self, text: &str) {
        self.sessions.used_once.take(&text.to_owned());
    }

    /// Seals a text of at most some hundred bytes for `purpose`, so that it can be told to be ours.
    ///
    /// # Errors
    /// If there are no agent keys.
    pub async fn seal_text(&self, purpose: &str, text: &[u8]) -> Result<String, Unavailable> {
        let keys = self.sessions.sealing_keys().await;
        let keys = keys.map_err(|_| Unavailable)?;
        let sealed = keys
            .ring
            .current()
            .seal(TokenType::LoginState, purpose, text);
        sealed.map_err(|_| Unavailable)
    }

    /// Opens what [`Core::seal_text`] made, perhaps at another agent.
    ///
    /// # Errors
    /// If there are no agent keys.
    pub async fn open_text(
        &self,
        purpose: &str,
        sealed: &str,
    ) -> Result<Option<Vec<u8>>, Unavailable> {
        let mut keys = self.sessions.keys.load().map_err(|_| Unavailable)?;
        let named = seal::key_id(sealed.as_bytes(), TokenType::LoginState);
        if named.is_some_and(|id| keys.ring.find(id).is_none()) {
            let newest = self.sessions.newest_keys().await;
            keys = newest.map_err(|_| Unavailable)?;
        }
        let find = |id| keys.ring.find(id);
        Ok(seal::open(sealed.as_bytes(), TokenType::LoginState, purpose, find).ok())
    }

    /// Proofs with assertions that were used.
    #[cfg(feature = "saml")]
    pub fn replays(&self) -> &super::vsphere::saml::replay::Replays {
        &self.sessions.saml_replays
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
            Err(NotLoggedIn::NewPassword(reason)) => {
                return Ok(Err(NotBegun {
                    reason,
                    must_change: true,
                }));
            }
        };
        let token = self.token(&session)?;
        Ok(Ok(Begun { token, session }))
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
        let mut keys = self.sessions.keys.load().map_err(|_| Unavailable)?;
        if names_unknown_key(token, &keys.ring) {
            let newest = self.sessions.newest_keys().await;
            keys = newest.map_err(|_| Unavailable)?;
        }
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
            } => Ok(Ok(Described {
                details: *details,
                administrator,
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
        match self.sessions.validate(request).await {
            Ok(session) => {
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
        let request = SessionServiceRequest {
            session: shown.ticket.clone(),
            resource: self.visit.resource_context(),
            operation,
            from: self.visit.origin.address,
            client_address: self.visit.bound_address(),
            transaction_id: self.visit.transaction_id.as_str().to_owned(),
        };
        let answer = self.sessions.policy.session_service(request).await;
        let counted = match &answer {
            Ok(SessionServiceAnswer::No { .. } | SessionServiceAnswer::Forbidden) => {
                PolicyAnswer::No
            }
            Ok(_) => PolicyAnswer::Yes,
            Err(_) => PolicyAnswer::Error,
        };
        let calls = &self.sessions.metrics.policy_calls;
        calls.count(PolicyCall::SessionService, counted);
        Ok(answer?)
    }

    /// Ends a session everywhere. It is over here even if that fails, and the policy server is told later.
    ///
    /// # Errors
    /// If the policy server cannot be told now.
    pub async fn end(&self, shown: Shown) -> Result<(), Unavailable> {
        Ok(logout::end(self.sessions, self.visit, shown.ticket).await?)
    }

    /// Forgets a session that an administrator ended by its id: the event may take a moment.
    pub fn forget(&self, id: policy_protocol::SessionId) {
        self.sessions.cache.end(id, Reason::REVOKED_SESSION);
    }

    /// Whether the call itself may pass into a realm: a session cookie of the caller's, or other credentials. The
    /// `Set-Cookie` that is due with the answer.
    ///
    /// # Errors
    /// Why it may not.
    pub async fn admit(&self, realm: &Arc<Realm>) -> Result<Option<HeaderValue>, Denial> {
        let admitted = authenticate(self.sessions, self.visit, realm).await?;
        authorize(self.sessions, self.visit, realm, &admitted).await?;
        Ok(admitted.set_cookie)
    }

    /// What the gateway would say to a request for `target` with this token, which counts as a use of it.
    ///
    /// # Errors
    /// If the policy server would have to be asked and gives no answer.
    pub async fn decide(
        &self,
        token: &[u8],
        target: &RequestTarget,
    ) -> Result<Verdict, Unavailable> {
        let facts = crate::access::Facts {
            target,
            from_script: true,
            ..self.visit.facts().clone()
        };
        let headers = self.as_cookies(token);
        let visit = facts.with(&headers);
        let outcome = async {
            let realm = match visit.site.realms.find(target)? {
                Protection::Open(_) => return Ok(Verdict::NotProtected),
                Protection::Protected(realm) => realm,
            };
            // The certificate of the connection is the caller's, not the user's.
            let admitted = by_cookies(self.sessions, &visit, &realm).await;
            let admitted = admitted.map_err(|unfit| unfit.denial(&realm))?;
            let grant = authorize(self.sessions, &visit, &realm, &admitted).await?;
            let renewed = admitted.set_cookie.as_ref();
            Ok(Verdict::Granted {
                session: admitted.session,
                grant: Box::new(grant),
                renewed: renewed.and_then(value_of).map(str::to_owned),
            })
        };
        match outcome.await {
            Ok(verdict) => Ok(verdict),
            Err(Denial::PolicyUnavailable | Denial::Internal) => Err(Unavailable),
            Err(denial) => Ok(Verdict::Denied(denial)),
        }
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

    /// The headers of a request that has nothing but the session cookie, in the zone that its seal names; in every
    /// zone, if the seal cannot be opened yet.
    fn as_cookies(&self, token: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let zones = &self.visit.site.zones;
        let keys = self.sessions.keys.load().ok();
        let named = keys.and_then(|keys| {
            zones
                .iter()
                .position(|zone| SessionClaims::open(token, &keys.ring, &zone.name).is_ok())
        });
        for zone in named.map_or(&zones[..], |index| &zones[index..=index]) {
            let cookie = [zone.cookie_name().as_bytes(), b"=", token].concat();
            let cookie = HeaderValue::from_bytes(&cookie).ok();
            headers.extend(cookie.map(|value| (header::COOKIE, value)));
        }
        headers
    }
}

/// A response without a body.
pub fn status(status: http::StatusCode) -> http::Response<crate::http::body::Body> {
    let mut response = http::Response::new(crate::http::body::Body::empty());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests;
