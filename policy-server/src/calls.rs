//! The calls of agents, one file each.

mod authorize;
mod check;
mod explain;
mod identify;
mod listen;
mod login;
mod logout;
mod session_service;
mod validate;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use policy_client::{EventStream, PolicyCalls, PolicyError};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest, LoginAnswer,
    LoginRequest, LogoutAnswer, LogoutRequest, ValidateAnswer, ValidateRequest,
};
use policy_protocol::session_service::{SessionServiceAnswer, SessionServiceRequest};
use policy_protocol::{AgentKeySet, EventPosition};

pub(crate) use self::check::NotAlive;
use crate::server::{AgentHandle, failure};

/// An agent speaks for itself only: whatever name stands in a request is replaced by its own.
impl PolicyCalls for AgentHandle {
    fn is_protected(
        &self,
        request: IsProtectedRequest,
    ) -> BoxFuture<'_, Result<IsProtectedAnswer, PolicyError>> {
        Box::pin(async move { Ok(self.server.is_protected(&request)) })
    }

    fn login(&self, mut request: LoginRequest) -> BoxFuture<'_, Result<LoginAnswer, PolicyError>> {
        self.agent.as_ref().clone_into(&mut request.resource.agent);
        Box::pin(async {
            if self.server.store_health.is_lost() {
                // Before anything is looked at, so that the agent may ask another policy server.
                return Err(PolicyError::Unavailable);
            }
            self.server.login(request).await
        })
    }

    fn validate(
        &self,
        mut request: ValidateRequest,
    ) -> BoxFuture<'_, Result<ValidateAnswer, PolicyError>> {
        self.agent.as_ref().clone_into(&mut request.resource.agent);
        Box::pin(self.server.validate(request))
    }

    fn authorize(
        &self,
        mut request: AuthorizeRequest,
    ) -> BoxFuture<'_, Result<AuthorizeAnswer, PolicyError>> {
        self.agent.as_ref().clone_into(&mut request.resource.agent);
        Box::pin(self.server.authorize(request))
    }

    fn logout(&self, request: LogoutRequest) -> BoxFuture<'_, Result<LogoutAnswer, PolicyError>> {
        Box::pin(self.server.logout(&self.agent, request))
    }

    fn session_service(
        &self,
        mut request: SessionServiceRequest,
    ) -> BoxFuture<'_, Result<SessionServiceAnswer, PolicyError>> {
        self.agent.as_ref().clone_into(&mut request.resource.agent);
        Box::pin(self.server.session_service(request))
    }

    fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>> {
        Box::pin(async {
            let keys = self.server.keys.latest().await.map_err(failure)?;
            self.server.presence.fetched(&self.process, keys.held());
            Ok(keys.agent_key_set())
        })
    }

    fn events(
        &self,
        position: Option<EventPosition>,
    ) -> BoxFuture<'_, Result<EventStream, PolicyError>> {
        Box::pin(async move {
            let told = self.listen(position).await?;
            Ok(Box::pin(told.map(|told| Ok(told.event.clone()))) as EventStream)
        })
    }
}
