//! AuthAz: the authentication and authorization web services of an Access Gateway.
//!
//! | here | there |
//! |---|---|
//! | Login | login |
//! | Validate | authorize, of the resource that is asked for: there is no other way to ask about a session |
//! | Authorize | authorize |
//! | Logout | logout |
//!
//! The token is the classic SMSESSION value, and authorize renews it. What login tells of a user is kept for as long
//! as the session, because authorize tells only what the policies there are made to tell.

mod answer;
mod known;
mod logout;
mod request;
mod settings;
mod xml;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, LoginAnswer, LoginRequest, LogoutAnswer, LogoutRequest,
    SessionTicket, ValidateAnswer, ValidateRequest,
};
use policy_protocol::{
    AgentKeySet, Clock, EventPosition, Identity, RealmContext, Reason, ResourceContext, Session,
    SessionId, SessionSpec,
};

use self::answer::{ACCEPT_REDIRECT, Answer, Outcome, REJECT_REDIRECT};
use self::known::{Known, MAX_KNOWN};
use self::logout::{Ended, MAX_ENDED};
use self::request::Operation;
pub use self::settings::{ANY_HOST, AuthAzCaller, AuthAzProtocol, AuthAzSettings, UserNameField};
use crate::foreign::{
    ForeignKind, Link, Memory, basic, begun_here, clean_up, end_replaced, name_and_password,
};
use crate::settings::ClientError;
use crate::{EventStream, PolicyCalls, PolicyError};

/// A client of the services.
///
/// Its connections belong to the runtime that opened them: use one client in each runtime.
pub struct AuthAzClient {
    link: Link,
    settings: AuthAzSettings,
    known: Memory<Known>,
    /// Whether a login has succeeded since the start.
    knows_names: AtomicBool,
    /// Sessions that were logged out here.
    ended: Memory<Ended>,
}

impl AuthAzClient {
    /// Prepares a client. Nothing is connected yet.
    ///
    /// # Errors
    /// If an address, the trust anchors, the client certificate or the file with the agent keys are unusable.
    pub fn new(settings: &AuthAzSettings, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let caller = settings.caller.as_ref();
        let authorization = caller.map(|caller| basic(&caller.user, caller.password.expose()));
        Ok(Self {
            link: Link::new(ForeignKind::AuthAz, &settings.link, authorization, clock)?,
            settings: settings.clone(),
            known: Memory::new(MAX_KNOWN),
            knows_names: AtomicBool::new(false),
            ended: Memory::new(MAX_ENDED),
        })
    }

    async fn send(&self, operation: &Operation<'_>) -> Result<Answer, PolicyError> {
        let request = request::make(&self.settings, operation)?;
        let exchange = request.exchange();
        let transport = &self.link.transport;
        let answer = match self.settings.protocol {
            AuthAzProtocol::Rest => transport.exchange(&exchange).await?,
            AuthAzProtocol::Soap => {
                transport
                    .exchange_or_fault(&exchange, answer::is_fault)
                    .await?
            }
        };
        answer::read(answer.status, answer.body.expose(), operation.success())
    }

    async fn log_in(&self, request: LoginRequest) -> Result<LoginAnswer, PolicyError> {
        let (user, password) = match name_and_password(&request) {
            Ok(found) => found,
            Err(reason) => return Ok(LoginAnswer::No { reason }),
        };
        let operation = Operation::Login {
            user,
            password,
            resource: &request.resource,
        };
        if !operation.can_be_written() {
            let reason = Reason::NONE;
            return Ok(LoginAnswer::No { reason });
        }
        let answer = self.link.within(self.send(&operation)).await?;
        match answer.outcome {
            Outcome::Yes => self.knows_names.store(true, Ordering::Relaxed),
            Outcome::No => {
                // Asking again with the other name would count as a second failure.
                if !self.knows_names.load(Ordering::Relaxed) {
                    tracing::warn!(
                        realm = request.realm.name,
                        user_name_field = self.settings.user_name_field.name(),
                        "a login failed, and none has succeeded since the start: if all of them fail, \
                         policy_server.user_name_field is not what the services call a user's name"
                    );
                }
                let reason = answer.told.reason();
                return Ok(LoginAnswer::No { reason });
            }
            Outcome::NotProtected => return Err(not_protected(&request.resource)),
        }
        let token = answer.token.as_ref().map_or("", |token| token.expose());
        let spec = match self.link.spec(token) {
            Ok(spec) => spec,
            Err(error) => {
                // Nobody can hold it.
                if !token.is_empty() {
                    clean_up(self.send(&Operation::Logout(token))).await;
                }
                return Err(error);
            }
        };
        let name = answer.told.session_id().unwrap_or(spec.as_str());
        let id = begun_here(ForeignKind::AuthAz, name, &request.realm);
        let known = Known::begun(&answer.told, self.link.now());
        let identity = known.whose();
        if identity.user_name.is_empty() {
            // The name as it was typed is one of many spellings. Nobody will use the session.
            clean_up(self.send(&Operation::Logout(spec.as_str()))).await;
            tracing::error!(
                "a session was made, and the service does not tell whose it is: no response SM_USER"
            );
            return Err(PolicyError::Protocol);
        }
        self.ended.forget(id);
        let session = self.session(id, spec, identity, known, &answer, &request.realm);
        end_replaced(self, &session, request.previous, &request.transaction_id).await;
        Ok(LoginAnswer::Yes {
            session: Box::new(session),
        })
    }

    async fn look_after(&self, request: ValidateRequest) -> Result<ValidateAnswer, PolicyError> {
        let SessionTicket {
            session_id,
            session_spec,
        } = request.session;
        if self.is_ended(session_id) {
            let reason = Reason::USER_LOGOUT;
            return Ok(ValidateAnswer::No { reason });
        }
        let operation = Operation::Authorize {
            token: session_spec.as_str(),
            resource: &request.resource,
        };
        if !operation.can_be_written() {
            let reason = Reason::INVALID_SESSION;
            return Ok(ValidateAnswer::No { reason });
        }
        let answer = self.send(&operation).await?;
        match answer.outcome {
            Outcome::Yes => {}
            Outcome::No => {
                let reason = match answer.told.reason() {
                    // The session, or what it is used for: the service does not say which.
                    Reason::NONE => Reason::INVALID_SESSION,
                    reason => reason,
                };
                return Ok(ValidateAnswer::No { reason });
            }
            Outcome::NotProtected => return Err(not_protected(&request.resource)),
        }
        // It may have been logged out since.
        if self.is_ended(session_id) {
            let reason = Reason::USER_LOGOUT;
            return Ok(ValidateAnswer::No { reason });
        }
        let known = self.known.get(session_id);
        let mut known = known.unwrap_or_else(|| Known::seen(self.link.now()));
        let identity = known.tell(&answer.told);
        if identity.user_name.is_empty() {
            tracing::warn!(
                "the service does not tell whose session it is: its policy needs a response SM_USER"
            );
            let reason = Reason::INVALID_SESSION;
            return Ok(ValidateAnswer::No { reason });
        }
        let spec = match &answer.token {
            Some(token) => self.link.spec(token.expose())?,
            None => session_spec,
        };
        let realm = &request.realm;
        let mut session = self.session(session_id, spec, identity, known, &answer, realm);
        if request.overlooked {
            session.last_access = request.last_access.max(session.started);
        }
        Ok(ValidateAnswer::Yes {
            session: Box::new(session),
        })
    }

    /// A session that the service has just said yes to, and so takes for used.
    fn session(
        &self,
        id: SessionId,
        spec: SessionSpec,
        identity: Identity,
        known: Known,
        answer: &Answer,
        realm: &RealmContext,
    ) -> Session {
        let now = self.link.now();
        let (auth_scheme, protection_level) = self.link.how_begun(id);
        let left = answer.told.time_to_expire();
        let session = Session {
            id,
            spec,
            identity,
            auth_scheme,
            protection_level,
            started: known.started,
            last_access: now,
            idle_timeout: realm.idle_timeout,
            max_timeout: left.map_or(realm.max_timeout, |left| {
                realm.max_timeout.min(now.since(known.started) + left)
            }),
            persistent: realm.persistent,
        };
        self.known.insert(id, known);
        session
    }

    async fn ask(&self, request: AuthorizeRequest) -> Result<AuthorizeAnswer, PolicyError> {
        // How long an answer holds is not told: it is good for one request.
        let ttl = Duration::ZERO;
        let operation = Operation::Authorize {
            token: request.session.session_spec.as_str(),
            resource: &request.resource,
        };
        let refused = match () {
            () if self.is_ended(request.session.session_id) => Some(Reason::USER_LOGOUT),
            () if !operation.can_be_written() => Some(Reason::NONE),
            () => None,
        };
        if let Some(reason) = refused {
            return Ok(AuthorizeAnswer::No {
                ttl,
                reason,
                redirect: None,
            });
        }
        let answer = self.send(&operation).await?;
        Ok(match answer.outcome {
            Outcome::Yes => AuthorizeAnswer::Yes {
                ttl,
                responses: answer.told.headers(),
                redirect: answer.told.redirect(ACCEPT_REDIRECT),
            },
            // A realm that asks wants a decision; that there is none is not a yes.
            Outcome::No | Outcome::NotProtected => AuthorizeAnswer::No {
                ttl,
                reason: answer.told.reason(),
                // Doorward's own service says of a yes that leads elsewhere that it is none.
                redirect: answer
                    .told
                    .redirect(REJECT_REDIRECT)
                    .or_else(|| answer.told.redirect(ACCEPT_REDIRECT)),
            },
        })
    }
}

/// The service did not look at the session at all.
fn not_protected(resource: &ResourceContext) -> PolicyError {
    tracing::warn!(
        resource = resource.resource,
        "the resource is not protected there, so nothing can be learnt of sessions"
    );
    PolicyError::Failure
}

impl PolicyCalls for AuthAzClient {
    fn login(&self, request: LoginRequest) -> BoxFuture<'_, Result<LoginAnswer, PolicyError>> {
        Box::pin(self.log_in(request))
    }

    fn validate(
        &self,
        request: ValidateRequest,
    ) -> BoxFuture<'_, Result<ValidateAnswer, PolicyError>> {
        Box::pin(self.link.within(self.look_after(request)))
    }

    fn authorize(
        &self,
        request: AuthorizeRequest,
    ) -> BoxFuture<'_, Result<AuthorizeAnswer, PolicyError>> {
        Box::pin(self.link.within(self.ask(request)))
    }

    fn logout(&self, request: LogoutRequest) -> BoxFuture<'_, Result<LogoutAnswer, PolicyError>> {
        Box::pin(self.link.within(self.end(request)))
    }

    fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>> {
        self.link.agent_keys()
    }

    fn events(&self, _: Option<EventPosition>) -> BoxFuture<'_, Result<EventStream, PolicyError>> {
        self.link.quiet_events()
    }
}
