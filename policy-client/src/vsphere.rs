//! The session service of vSphere (`com.vmware.cis.session`).
//!
//! | here | there |
//! |---|---|
//! | Login | create, then get: the service says who has logged in |
//! | Validate | get; a session that is not known is over, whatever became of it |
//! | Authorize | nothing: whoever has a session may do what the realm's rules allow |
//! | Logout | delete; one that is gone already is gone |
//!
//! The service tells who a session belongs to, when it began and when it was last used, and nothing else: its
//! own timeouts hold there, those of the realm hold here.

mod reply;
mod request;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, LoginAnswer, LoginRequest, LogoutAnswer, LogoutRequest,
    SessionTicket, ValidateAnswer, ValidateRequest,
};
use policy_protocol::{
    AgentKeySet, Clock, EventPosition, Identity, RealmContext, Reason, Session, SessionId,
    SessionSpec, Timestamp, UserDirectory,
};

use self::reply::{Info, Reply};
use self::request::Operation;
use crate::foreign::{
    ForeignKind, ForeignSettings, Link, begun_here, clean_up, end_replaced, name_and_password,
};
use crate::settings::ClientError;
use crate::{EventStream, PolicyCalls, PolicyError};

/// Where the service is, and in which form it is asked.
#[derive(Clone, Debug)]
pub struct VSphereSettings {
    /// The servers; `/api` and `/rest` are below their addresses.
    pub link: ForeignSettings,
    /// In which form it is asked.
    pub wire_form: WireForm,
}

/// The three forms of the same service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireForm {
    /// `/api/session`: since 7.0 U2.
    Api,
    /// `/rest/com/vmware/cis/session`: before.
    Rest,
    /// JSON-RPC at `/api`: what the SDKs speak.
    JsonRpc,
}

/// A client of the service.
///
/// Its connections belong to the runtime that opened them: use one client in each runtime.
pub struct VSphereClient {
    link: Link,
    form: WireForm,
}

impl VSphereClient {
    /// Prepares a client. Nothing is connected yet.
    ///
    /// # Errors
    /// If an address, the trust anchors, the client certificate or the file with the agent keys are unusable.
    pub fn new(settings: &VSphereSettings, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        Ok(Self {
            link: Link::new(ForeignKind::VSphere, &settings.link, None, clock)?,
            form: settings.wire_form,
        })
    }

    async fn create(&self, request: LoginRequest) -> Result<LoginAnswer, PolicyError> {
        let (user, password) = match name_and_password(&request) {
            Ok(found) => found,
            Err(reason) => return Ok(LoginAnswer::No { reason }),
        };
        let deadline = self.link.deadline();
        let operation = Operation::Create { user, password };
        let answer = deadline.hold(self.send(&operation)).await?;
        let Reply::Done(token) = reply::created(self.form, &answer)? else {
            let reason = Reason::NONE;
            return Ok(LoginAnswer::No { reason });
        };
        let spec = match self.link.spec(token.expose()) {
            Ok(spec) => spec,
            Err(error) => {
                // Nobody can hold it.
                clean_up(self.delete(&SessionSpec::new(token.expose().clone()))).await;
                return Err(error);
            }
        };
        match deadline.hold(self.get(&spec)).await {
            Ok(Reply::Done(info)) => {
                let id = begun_here(ForeignKind::VSphere, spec.as_str(), &request.realm);
                let session = self.session(id, spec, info, &request.realm, Timestamp(0));
                end_replaced(self, &session, request.previous, &request.transaction_id).await;
                Ok(LoginAnswer::Yes {
                    session: Box::new(session),
                })
            }
            other => {
                // Nobody will use it.
                clean_up(self.delete(&spec)).await;
                tracing::error!("a session was made, and the service does not tell whose it is");
                Err(other.err().unwrap_or(PolicyError::Protocol))
            }
        }
    }

    async fn get(&self, spec: &SessionSpec) -> Result<Reply<Info>, PolicyError> {
        let answer = self.send(&Operation::Get(spec)).await?;
        reply::info(self.form, &answer)
    }

    async fn delete(&self, spec: &SessionSpec) -> Result<Reply<()>, PolicyError> {
        let answer = self.send(&Operation::Delete(spec)).await?;
        reply::deleted(self.form, &answer)
    }

    async fn send(
        &self,
        operation: &Operation<'_>,
    ) -> Result<crate::transport::Answer, PolicyError> {
        let exchange = request::exchange(self.form, operation)?;
        self.link.transport.exchange(&exchange).await
    }

    fn session(
        &self,
        id: SessionId,
        spec: SessionSpec,
        info: Info,
        realm: &RealmContext,
        seen: Timestamp,
    ) -> Session {
        let (auth_scheme, protection_level) = self.link.how_begun(id);
        let now = self.link.now();
        // Clocks differ; nothing has happened that has not happened yet.
        let started = info.created.min(now);
        Session {
            id,
            spec,
            identity: identity(info.user),
            auth_scheme,
            protection_level,
            started,
            last_access: info.last_accessed.max(seen).min(now).max(started),
            idle_timeout: realm.idle_timeout,
            max_timeout: realm.max_timeout,
            persistent: realm.persistent,
        }
    }
}

/// `Administrator@VSPHERE.LOCAL`: the name with its domain is what tells users apart.
fn identity(user: String) -> Identity {
    let domain = user.rsplit_once('@').map_or("", |(_, domain)| domain);
    let directory = UserDirectory {
        name: domain.to_owned(),
        namespace: String::from("vSphere:"),
        ..UserDirectory::default()
    };
    Identity {
        universal_id: user.clone(),
        user_name: user,
        directory,
        ..Identity::default()
    }
}

impl PolicyCalls for VSphereClient {
    fn login(&self, request: LoginRequest) -> BoxFuture<'_, Result<LoginAnswer, PolicyError>> {
        Box::pin(self.create(request))
    }

    fn validate(
        &self,
        request: ValidateRequest,
    ) -> BoxFuture<'_, Result<ValidateAnswer, PolicyError>> {
        Box::pin(async move {
            let SessionTicket {
                session_id,
                session_spec,
            } = request.session;
            Ok(match self.link.within(self.get(&session_spec)).await? {
                Reply::Done(info) => ValidateAnswer::Yes {
                    session: Box::new(self.session(
                        session_id,
                        session_spec,
                        info,
                        &request.realm,
                        request.last_access,
                    )),
                },
                Reply::Unauthenticated => ValidateAnswer::No {
                    reason: Reason::REVOKED_SESSION,
                },
            })
        })
    }

    fn authorize(
        &self,
        _: AuthorizeRequest,
    ) -> BoxFuture<'_, Result<AuthorizeAnswer, PolicyError>> {
        let anybody = AuthorizeAnswer::Yes {
            ttl: Duration::ZERO,
            responses: Vec::new(),
            redirect: None,
        };
        ready(Ok(anybody)).boxed()
    }

    fn logout(&self, request: LogoutRequest) -> BoxFuture<'_, Result<LogoutAnswer, PolicyError>> {
        Box::pin(async move {
            // Gone already is gone.
            let spec = &request.session.session_spec;
            self.link.within(self.delete(spec)).await?;
            Ok(LogoutAnswer::Yes)
        })
    }

    fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>> {
        self.link.agent_keys()
    }

    fn events(&self, _: Option<EventPosition>) -> BoxFuture<'_, Result<EventStream, PolicyError>> {
        self.link.quiet_events()
    }
}
