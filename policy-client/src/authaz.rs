//! AuthAz: the authentication and authorization web services of an Access Gateway.

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

/// Where the services are, and how they are asked.
#[derive(Clone, Debug)]
pub struct AuthAzSettings {
    /// The servers; `/authazws` is below their addresses.
    pub link: ForeignSettings,
    /// What is spoken.
    pub protocol: AuthAzProtocol,
    /// The alias there of the agent whose realms and policies decide.
    pub app_id: String,
    /// What the login's user name is called.
    pub user_name_field: UserNameField,
    /// The agent's own credentials, for services that are protected themselves.
    pub caller: Option<AuthAzCaller>,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthAzProtocol {
    /// A POST of XML for each operation, at a path of its own.
    Rest,
    /// SOAP, at one path.
    Soap,
}

/// What the login's user name is called. A service that expects the other spelling takes the name for empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserNameField {
    /// Since 12.8 SP2.
    UserName,
    /// Before.
    Username,
}

/// Credentials of the agent itself.
#[derive(Clone, Debug)]
pub struct AuthAzCaller {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret<String>,
    /// Whether to send the cookie `SMCHALLENGE=YES`, without which an agent with RequireCookies does not look at
    /// Basic credentials.
    pub challenge_cookie: bool,
}

/// A client of the services.
///
/// Its connections belong to the runtime that opened them: use one client in each runtime.
pub struct AuthAzClient {
    link: Link,
    settings: AuthAzSettings,
}

impl AuthAzClient {
    /// Prepares a client. Nothing is connected yet.
    ///
    /// # Errors
    /// If an address, the trust anchors, the client certificate or the file with the agent keys are unusable.
    pub fn new(settings: &AuthAzSettings, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let link = Link::new(ForeignKind::AuthAz, &settings.link, None, clock)?;
        Ok(Self {
            link,
            settings: settings.clone(),
        })
    }
}

impl PolicyCalls for AuthAzClient {
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
