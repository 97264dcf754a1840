//! AM: sessions, policies and notifications of PingAM, ForgeRock AM and OpenAM.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest, LoginAnswer,
    LoginRequest, LogoutAnswer, LogoutRequest, ValidateAnswer, ValidateRequest,
};
use policy_protocol::{AgentKeySet, Clock, EventPosition, Secret};

use crate::foreign::{ForeignKind, ForeignSettings, Link};
use crate::settings::ClientError;
use crate::{EventStream, PolicyCalls, PolicyError};

/// Where AM is, and what is asked of it.
#[derive(Clone, Debug)]
pub struct AmSettings {
    /// The servers' addresses end with AM's context path, such as `https://am.example.com/am`.
    pub link: ForeignSettings,
    /// The session cookie there, and the header of the same name.
    pub cookie_name: String,
    /// The realm that users log in to and whose policies decide, such as `/` or `/customers`.
    pub realm: String,
    /// The agent's own account, for policies and notifications; without one neither is asked for.
    pub agent: Option<AmAgent>,
    /// The policy set (application) whose policies decide.
    pub application: String,
    /// Whether to listen for the ends of sessions.
    pub notifications: bool,
}

/// The agent's own account in AM.
#[derive(Clone, Debug)]
pub struct AmAgent {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret<String>,
}

/// A client of AM.
///
/// Its connections belong to the runtime that opened them: use one client in each runtime.
pub struct AmClient {
    link: Link,
    settings: AmSettings,
}

impl AmClient {
    /// Prepares a client. Nothing is connected yet.
    ///
    /// # Errors
    /// If an address, the trust anchors, the client certificate or the file with the agent keys are unusable.
    pub fn new(settings: &AmSettings, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let link = Link::new(ForeignKind::Am, &settings.link, None, clock)?;
        Ok(Self {
            link,
            settings: settings.clone(),
        })
    }
}

impl PolicyCalls for AmClient {
    fn is_protected(
        &self,
        _: IsProtectedRequest,
    ) -> BoxFuture<'_, Result<IsProtectedAnswer, PolicyError>> {
        ready(Err(PolicyError::Failure)).boxed()
    }

    fn login(&self, _: LoginRequest) -> BoxFuture<'_, Result<LoginAnswer, PolicyError>> {
        ready(Err(PolicyError::Failure)).boxed()
    }

    fn validate(&self, _: ValidateRequest) -> BoxFuture<'_, Result<ValidateAnswer, PolicyError>> {
        ready(Err(PolicyError::Failure)).boxed()
    }

    fn authorize(
        &self,
        _: AuthorizeRequest,
    ) -> BoxFuture<'_, Result<AuthorizeAnswer, PolicyError>> {
        ready(Err(PolicyError::Failure)).boxed()
    }

    fn logout(&self, _: LogoutRequest) -> BoxFuture<'_, Result<LogoutAnswer, PolicyError>> {
        ready(Err(PolicyError::Failure)).boxed()
    }

    fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>> {
        self.link.agent_keys()
    }

    fn events(&self, _: Option<EventPosition>) -> BoxFuture<'_, Result<EventStream, PolicyError>> {
        self.link.quiet_events()
    }
}
