//! The calls of agents, one file each.

mod authorize;
mod check;
mod explain;
mod identify;
mod login;
mod logout;
mod validate;

use futures_util::future::BoxFuture;
use policy_client::{EventStream, PolicyCalls, PolicyError};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest, LoginAnswer,
    LoginRequest, LogoutAnswer, LogoutRequest, ValidateAnswer, ValidateRequest,
};
use policy_protocol::{AgentKeySet, EventPosition};

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
        Box::pin(self.server.login(request))
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

    fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>> {
        Box::pin(async { Ok(self.server.keys.agent_key_set()) })
    }

    fn events(
        &self,
        position: Option<EventPosition>,
    ) -> BoxFuture<'_, Result<EventStream, PolicyError>> {
        Box::pin(async move {
            let end = self.server.store.feed_end().await.map_err(failure)?;
            self.server.events.listen(position.as_ref(), end).await
        })
    }
}
