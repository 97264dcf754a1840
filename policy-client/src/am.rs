//! AM: sessions, policies and notifications of PingAM, ForgeRock AM and OpenAM.
//!
//! | here | there |
//! |---|---|
//! | Login() | `authenticate`, then what `sessions` and `users` say of the new session |
//! | Validate() | `sessions`, in the version that the servers speak, and `users` |
//! | Authorize() | `policies?_action=evaluate`, asked by the agent's own session |
//! | Logout() | `sessions?_action=logout` |
//! | events | `/notifications`, or none |

mod authenticate;
mod beginnings;
mod limits;
mod login;
mod memory;
#[cfg(feature = "am-notifications")]
mod notices;
mod own_session;
mod policies;
mod profile;
mod reply;
mod rest;
mod session_info;
mod sessions;
#[cfg(feature = "am-notifications")]
mod socket;
mod throttle;
mod user_session;
mod version;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, Uri};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, LoginAnswer, LoginRequest, LogoutAnswer, LogoutRequest,
    ValidateAnswer, ValidateRequest,
};
use policy_protocol::{AgentKeySet, Clock, EventPosition, Reason};

pub use self::login::{AuthIndex, AuthIndexKind};
pub use self::own_session::AmAgent;

use self::beginnings::Beginnings;
use self::limits::REMEMBERED_SESSIONS;
use self::login::Begun;
use self::memory::Remembered;
use self::own_session::{OwnSession, Use};
use self::reply::Reply;
use self::rest::{Ask, Rest};
use self::sessions::{Purpose, Sessions};
use crate::foreign::{
    ForeignKind, ForeignSettings, Link, Memory, begun_here, clean_up, end_replaced,
    name_and_password,
};
use crate::retry::Repeat;
use crate::settings::ClientError;
use crate::{EventStream, PolicyCalls, PolicyError};

/// Whether this build can listen to AM (feature `am-notifications`).
pub const HAS_NOTIFICATIONS: bool = cfg!(feature = "am-notifications");

/// Where AM is, and what is asked of it.
#[derive(Clone, Debug)]
pub struct AmSettings {
    /// The servers' addresses end with AM's context path, such as `https://am.example.com/am`.
    pub link: ForeignSettings,
    /// The session cookie there, and the header of the same name.
    pub cookie_name: String,
    /// The realm that users log in to and whose policies decide, such as `/` or `/customers`.
    pub realm: String,
    /// How users log in, if not in the way that the realm has for everybody.
    pub login: Option<AuthIndex>,
    /// The agent's own account, for policies and notifications; without one neither is asked for.
    pub agent: Option<AmAgent>,
    /// The policy set (application) whose policies decide.
    pub application: String,
    /// Whether to listen for the ends of sessions.
    pub notifications: bool,
}

/// A client of AM.
///
/// Its connections belong to the runtime that opened them: use one client in each runtime.
pub struct AmClient {
    rest: Rest,
    settings: AmSettings,
    /// The first server's name, for `SM_AUTHDIRSERVER`.
    host: String,
    sessions: Sessions,
    memory: Memory<Remembered>,
    beginnings: Arc<Beginnings>,
    own: Option<OwnSession>,
    #[cfg(feature = "am-notifications")]
    notifications: Option<socket::Notifications>,
}

impl AmClient {
    /// Prepares a client. Nothing is connected yet.
    ///
    /// # Errors
    /// If an address, the cookie's name, the trust anchors, the client certificate or the file with the agent keys
    /// are unusable, or if notifications are wanted that this build does not have.
    pub fn new(settings: &AmSettings, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let header = HeaderName::try_from(&settings.cookie_name)
            .map_err(|error| ClientError::Setup(format!("cookie name: {error}")))?;
        if settings.notifications && !HAS_NOTIFICATIONS {
            return Err(ClientError::Setup(String::from(
                "this binary was built without AM's notifications (feature am-notifications)",
            )));
        }
        let link = Link::new(ForeignKind::Am, &settings.link, None, clock)?;
        Ok(Self {
            rest: Rest::new(link, &settings.realm, header),
            settings: settings.clone(),
            host: host(settings).unwrap_or_default(),
            sessions: Sessions::default(),
            memory: Memory::new(REMEMBERED_SESSIONS),
            beginnings: Arc::default(),
            own: settings.agent.clone().map(OwnSession::new),
            #[cfg(feature = "am-notifications")]
            notifications: match settings.notifications {
                true => Some(socket::Notifications::new(crate::tls::config(
                    settings.link.ca_file.as_deref(),
                    settings.link.client_certificate.as_ref(),
                )?)),
                false => None,
            },
        })
    }

    async fn login(&self, request: LoginRequest) -> Result<LoginAnswer, PolicyError> {
        let refused = |reason| Ok(LoginAnswer::No { reason });
        let (user, password) = match name_and_password(&request) {
            Ok(given) => given,
            Err(reason) => return refused(reason),
        };
        let deadline = self.rest.link.deadline();
        let index = self.settings.login.as_ref();
        let begun = login::begin(&self.rest, user, password, index);
        let token = match deadline.hold(begun).await? {
            Begun::Session(token) => token,
            Begun::Refused => return refused(Reason::NONE),
            Begun::Unanswerable => return refused(Reason::UNSUPPORTED_SCHEME),
        };
        let id = begun_here(ForeignKind::Am, token.expose(), &request.realm);
        self.beginnings.note(id);
        let session = self.new_session(id, &token, &request.realm);
        match deadline.hold(session).await {
            Ok(session) => {
                end_replaced(self, &session, request.previous, &request.transaction_id).await;
                Ok(LoginAnswer::Yes {
                    session: Box::new(session),
                })
            }
            Err(error) => {
                // Nobody will ever hold it.
                clean_up(self.sessions.end(&self.rest, token.expose())).await;
                Err(error)
            }
        }
    }

    async fn validate(&self, request: ValidateRequest) -> Result<ValidateAnswer, PolicyError> {
        self.beginnings.note(request.session.session_id);
        let purpose = match request.overlooked {
            true => Purpose::Look,
            false => Purpose::Use,
        };
        let session = self
            .session(&request.session, &request.realm, purpose)
            .await?;
        Ok(match session {
            Ok(session) => ValidateAnswer::Yes {
                session: Box::new(session),
            },
            Err(reason) => {
                self.memory.forget(request.session.session_id);
                ValidateAnswer::No { reason }
            }
        })
    }

    async fn authorize(&self, request: AuthorizeRequest) -> Result<AuthorizeAnswer, PolicyError> {
        let Some(own) = &self.own else {
            tracing::error!(
                "policy_server.am_agent_user is not set: AM's policies cannot be asked"
            );
            return Err(PolicyError::Failure);
        };
        let resource = policies::resource_name(&request.resource);
        let mut asking = own.get(&self.rest).await?;
        let mut reply = self
            .evaluate(&request, &resource, asking.token.expose())
            .await?;
        if matches!(&reply, Reply::Refused(refusal) if refusal.status == 401) {
            // Once: if the new one is refused as well, something else is wrong.
            asking = own
                .instead_of(&asking, Use::Policies, &self.rest, &self.sessions)
                .await?;
            reply = self
                .evaluate(&request, &resource, asking.token.expose())
                .await?;
        }
        if !matches!(&reply, Reply::Refused(refusal) if refusal.status == 401) {
            asking.accept(Use::Policies);
        }
        match reply {
            Reply::Content(body) => {
                let action = &request.resource.action;
                policies::decide(&body, &resource, action, self.rest.link.now())
            }
            // Of a token that is dead AM says that the question is wrong, and of wrong questions too.
            Reply::Refused(refusal) if refusal.status == 400 => {
                let token = request.session.session_spec.as_str();
                match self.sessions.find(&self.rest, token, Purpose::Look).await? {
                    Some(_) => Err(refusal.unforeseen("for a decision")),
                    None => Ok(AuthorizeAnswer::No {
                        ttl: std::time::Duration::ZERO,
                        reason: Reason::REVOKED_SESSION,
                        redirect: None,
                    }),
                }
            }
            Reply::Refused(refusal) => Err(refusal.unforeseen("for a decision")),
        }
    }

    async fn evaluate(
        &self,
        request: &AuthorizeRequest,
        resource: &str,
        token: &str,
    ) -> Result<Reply, PolicyError> {
        let ask = Ask {
            repeat: Repeat::Freely,
            path: &["policies"],
            query: Some(String::from("_action=evaluate")),
            version: policies::VERSION,
            token: Some(token),
            headers: HeaderMap::new(),
            body: Some(policies::question(
                request,
                resource,
                &self.settings.application,
            )?),
        };
        self.rest.send(ask).await
    }

    async fn logout(&self, request: LogoutRequest) -> Result<LogoutAnswer, PolicyError> {
        let token = request.session.session_spec.as_str();
        self.sessions.end(&self.rest, token).await?;
        self.memory.forget(request.session.session_id);
        Ok(LogoutAnswer::Yes)
    }
}

fn host(settings: &AmSettings) -> Option<String> {
    let first: Uri = settings
        .link
        .servers
        .clusters
        .iter()
        .flatten()
        .next()?
        .parse()
        .ok()?;
    first.host().map(str::to_owned)
}

impl PolicyCalls for AmClient {
    fn login(&self, request: LoginRequest) -> BoxFuture<'_, Result<LoginAnswer, PolicyError>> {
        Box::pin(self.login(request))
    }

    fn validate(
        &self,
        request: ValidateRequest,
    ) -> BoxFuture<'_, Result<ValidateAnswer, PolicyError>> {
        Box::pin(self.rest.link.within(self.validate(request)))
    }

    fn authorize(
        &self,
        request: AuthorizeRequest,
    ) -> BoxFuture<'_, Result<AuthorizeAnswer, PolicyError>> {
        Box::pin(self.rest.link.within(self.authorize(request)))
    }

    fn logout(&self, request: LogoutRequest) -> BoxFuture<'_, Result<LogoutAnswer, PolicyError>> {
        Box::pin(self.rest.link.within(self.logout(request)))
    }

    fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>> {
        self.rest.link.agent_keys()
    }

    fn events(&self, _: Option<EventPosition>) -> BoxFuture<'_, Result<EventStream, PolicyError>> {
        #[cfg(feature = "am-notifications")]
        if let (Some(notifications), Some(own)) = (&self.notifications, &self.own) {
            return Box::pin(self.rest.link.within(notifications.listen(
                &self.rest,
                own,
                &self.sessions,
                self.settings.link.timeout,
                Arc::clone(&self.beginnings),
            )));
        }
        self.rest.link.quiet_events()
    }
}
