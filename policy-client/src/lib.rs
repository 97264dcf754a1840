//! Asks a policy server.
//!
//! [`PolicyCalls`] is the one seam between an agent and whatever answers it: [`native`] is Doorward's
//! own policy server over HTTPS, and a policy server in the same process implements the trait itself.
//! [`authaz`], [`am`] and [`vsphere`] ask other systems, whose sessions they make ours; [`foreign`] is what
//! those three share.
//!
//! Answers (YES, NO, CHALLENGE) are values. A [`PolicyError`] always means "cannot tell", and must
//! never be read as either.

pub mod admin;
pub mod am;
pub mod authaz;
mod budget;
mod event_lines;
pub mod foreign;
pub mod jitter;
mod limits;
pub mod native;
mod probe;
mod retry;
mod servers;
mod settings;
mod tls;
mod transport;
pub mod vsphere;

use std::future::ready;
use std::pin::Pin;

use futures_util::Stream;
use futures_util::future::BoxFuture;
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest, LoginAnswer,
    LoginRequest, LogoutAnswer, LogoutRequest, ValidateAnswer, ValidateRequest,
};
use policy_protocol::session_service::{SessionServiceAnswer, SessionServiceRequest};
use policy_protocol::{AgentKeySet, Event, EventPosition};

pub use settings::{Balance, ClientCertificate, ClientError, ServerList};

/// Why a policy server gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// No server could be reached.
    #[error("no connection to a policy server")]
    NoConnection,
    /// The server did not answer within the deadline.
    #[error("the policy server did not answer in time")]
    TimedOut,
    /// The server answered that it cannot answer at the moment.
    #[error("the policy server is not available")]
    Unavailable,
    /// The server answered that its store takes no writes at the moment. It, and every other server of that
    /// store, answers what needs none.
    #[error("the policy server's store has no room")]
    NoRoom,
    /// The server answered that it failed, or refused this agent.
    #[error("the policy server failed")]
    Failure,
    /// The answer is not one this client understands.
    #[error("the policy server's answer makes no sense")]
    Protocol,
}

/// Events as they arrive. An error or the end means that the stream is lost; one that is silent for three
/// heartbeats is lost too, and whoever makes the stream sees to it that it then ends.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<Event, PolicyError>> + Send>>;

/// The calls of a policy server.
///
/// They are made on cache misses only, so the futures are boxed and the trait is used as an object.
/// Implementations set their own deadlines.
pub trait PolicyCalls: Send + Sync + 'static {
    /// Does a policy cover this resource? Only Doorward's own policy server answers; whatever else fails.
    fn is_protected(
        &self,
        _: IsProtectedRequest,
    ) -> BoxFuture<'_, Result<IsProtectedAnswer, PolicyError>> {
        Box::pin(ready(Err(PolicyError::Failure)))
    }
    /// Exchanges credentials for a session.
    fn login(&self, request: LoginRequest) -> BoxFuture<'_, Result<LoginAnswer, PolicyError>>;
    /// Is this session alive? Returns it with a newly sealed spec.
    fn validate(
        &self,
        request: ValidateRequest,
    ) -> BoxFuture<'_, Result<ValidateAnswer, PolicyError>>;
    /// May this session do this?
    fn authorize(
        &self,
        request: AuthorizeRequest,
    ) -> BoxFuture<'_, Result<AuthorizeAnswer, PolicyError>>;
    /// Ends a session everywhere.
    fn logout(&self, request: LogoutRequest) -> BoxFuture<'_, Result<LogoutAnswer, PolicyError>>;
    /// What session services ask: about a session, and by an administrator's about others. Only Doorward's own
    /// policy server answers; whatever else fails.
    fn session_service(
        &self,
        _: SessionServiceRequest,
    ) -> BoxFuture<'_, Result<SessionServiceAnswer, PolicyError>> {
        Box::pin(ready(Err(PolicyError::Failure)))
    }
    /// The agent keys in force.
    fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>>;
    /// Events after `position`: those that were missed, as far as they are known, then a `Hello`, then
    /// those that happen.
    fn events(
        &self,
        position: Option<EventPosition>,
    ) -> BoxFuture<'_, Result<EventStream, PolicyError>>;
}
