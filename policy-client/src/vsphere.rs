//! The session service of vSphere.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest, LoginAnswer,
    LoginRequest, LogoutAnswer, LogoutRequest, ValidateAnswer, ValidateRequest,
};
use policy_protocol::{AgentKeySet, Clock, EventPosition};

use crate::foreign::{ForeignKind, ForeignSettings, Link};
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
    settings: VSphereSettings,
}

impl VSphereClient {
    /// Prepares a client. Nothing is connected yet.
    ///
    /// # Errors
    /// If an address, the trust anchors, the client certificate or the file with the agent keys are unusable.
    pub fn new(settings: &VSphereSettings, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let link = Link::new(ForeignKind::VSphere, &settings.link, None, clock)?;
        Ok(Self {
            link,
            settings: settings.clone(),
        })
    }
}

impl PolicyCalls for VSphereClient {
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
