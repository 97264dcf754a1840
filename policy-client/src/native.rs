//! Doorward's own policy server over HTTPS.
//!
//! Every call is a POST of JSON under `/policy/v1/`; agent keys and events are GETs. The agent proves
//! itself with its name and secret by HTTP Basic (RFC 7617) on every call.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest, LoginAnswer,
    LoginRequest, LogoutAnswer, LogoutRequest, ValidateAnswer, ValidateRequest,
};
use policy_protocol::{AgentKeySet, EventPosition, Secret};

use crate::transport::{ClientError, Transport, TransportSettings};
use crate::{EventStream, PolicyCalls, PolicyError, event_lines};

/// Where the policy servers are, and who asks them.
#[derive(Clone, Debug)]
pub struct NativeSettings {
    /// `https://` addresses in order of preference. The next is asked only when one cannot be
    /// connected to; calls go back to the first as soon as it can.
    pub urls: Vec<String>,
    /// Trust anchors (PEM); the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// The agent's name, as registered at the policy server.
    pub agent_name: String,
    /// The agent's secret, as registered at the policy server.
    pub agent_secret: Secret<String>,
    /// Deadline of each call, over all addresses.
    pub timeout: Duration,
}

/// A client of Doorward's own policy server.
///
/// Its connections belong to the runtime that opened them: use one client in each runtime.
pub struct NativeClient {
    transport: Transport,
}

impl NativeClient {
    /// Prepares a client. Nothing is connected yet.
    ///
    /// # Errors
    /// If an address or the trust anchors are unusable.
    pub fn new(settings: &NativeSettings) -> Result<Self, ClientError> {
        let authorization = basic(&settings.agent_name, settings.agent_secret.expose());
        let transport = Transport::new(&TransportSettings {
            urls: settings.urls.clone(),
            ca_file: settings.ca_file.clone(),
            authorization,
            timeout: settings.timeout,
        })?;
        Ok(Self { transport })
    }
}

impl PolicyCalls for NativeClient {
    fn is_protected(
        &self,
        request: IsProtectedRequest,
    ) -> BoxFuture<'_, Result<IsProtectedAnswer, PolicyError>> {
        Box::pin(async move { self.transport.post(&["is-protected"], &request).await })
    }

    fn login(&self, request: LoginRequest) -> BoxFuture<'_, Result<LoginAnswer, PolicyError>> {
        Box::pin(async move { self.transport.post(&["login"], &request).await })
    }

    fn validate(
        &self,
        request: ValidateRequest,
    ) -> BoxFuture<'_, Result<ValidateAnswer, PolicyError>> {
        Box::pin(async move { self.transport.post(&["validate"], &request).await })
    }

    fn authorize(
        &self,
        request: AuthorizeRequest,
    ) -> BoxFuture<'_, Result<AuthorizeAnswer, PolicyError>> {
        Box::pin(async move { self.transport.post(&["authorize"], &request).await })
    }

    fn logout(&self, request: LogoutRequest) -> BoxFuture<'_, Result<LogoutAnswer, PolicyError>> {
        Box::pin(async move { self.transport.post(&["logout"], &request).await })
    }

    fn agent_keys(&self) -> BoxFuture<'_, Result<AgentKeySet, PolicyError>> {
        Box::pin(async move {
            self.transport
                .get(&["agent-keys"], &[])
                .await?
                .ok_or(PolicyError::Protocol)
        })
    }

    fn events(
        &self,
        position: Option<EventPosition>,
    ) -> BoxFuture<'_, Result<EventStream, PolicyError>> {
        Box::pin(async move {
            let chunks = match position {
                Some(EventPosition { instance, sequence }) => {
                    let sequence = sequence.to_string();
                    let query = [("instance", instance.as_str()), ("sequence", &sequence)];
                    self.transport.stream(&["events"], &query).await?
                }
                None => self.transport.stream(&["events"], &[]).await?,
            };
            Ok(event_lines::decode(chunks))
        })
    }
}

/// HTTP Basic credentials.
fn basic(name: &str, secret: &str) -> Secret<String> {
    let pair = Secret::new(format!("{name}:{secret}"));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}
