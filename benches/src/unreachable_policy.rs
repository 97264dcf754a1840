//! A policy server that cannot be reached: what is measured here must not ask it.

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use policy_client::{EventStream, PolicyCalls, PolicyError};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, LoginAnswer, LoginRequest, LogoutAnswer, LogoutRequest,
    ValidateAnswer, ValidateRequest,
};
use policy_protocol::{AgentKeySet, EventPosition};

pub(crate) struct UnreachablePolicy;

type Answer<'a, T> = BoxFuture<'a, Result<T, PolicyError>>;

fn none<'a, T: Send + 'a>() -> Answer<'a, T> {
    ready(Err(PolicyError::NoConnection)).boxed()
}

impl PolicyCalls for UnreachablePolicy {
    fn login(&self, _: LoginRequest) -> Answer<'_, LoginAnswer> {
        none()
    }

    fn validate(&self, _: ValidateRequest) -> Answer<'_, ValidateAnswer> {
        none()
    }

    fn authorize(&self, _: AuthorizeRequest) -> Answer<'_, AuthorizeAnswer> {
        none()
    }

    fn logout(&self, _: LogoutRequest) -> Answer<'_, LogoutAnswer> {
        none()
    }

    fn agent_keys(&self) -> Answer<'_, AgentKeySet> {
        none()
    }

    fn events(&self, _: Option<EventPosition>) -> Answer<'_, EventStream> {
        none()
    }
}
