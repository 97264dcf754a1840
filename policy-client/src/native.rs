//! Doorward's own policy server over HTTPS.
//!
//! Every call is a POST of JSON under `/policy/v1/`; agent keys and events are GETs. The agent proves
//! itself with its name and secret by HTTP Basic (RFC 7617) on every call, with a TLS client certificate,
//! or with both.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, IsProtectedAnswer, IsProtectedRequest, LoginAnswer,
    LoginRequest, LogoutAnswer, LogoutRequest, ValidateAnswer, ValidateRequest,
};
use policy_protocol::session_service::{SessionServiceAnswer, SessionServiceRequest};
use policy_protocol::{AgentKeySet, EventPosition, Secret};

use crate::foreign::basic;
use crate::settings::{ClientCertificate, ClientError, Dialect, ServerList, TransportSettings};
use crate::transport::Transport;
use crate::{EventStream, PolicyCalls, PolicyError, event_lines};

/// Where the policy servers are, and who asks them.
#[derive(Clone, Debug)]
pub struct NativeSettings {
    /// The servers. One that fails is passed over until it answers again.
    pub servers: ServerList,
    /// Trust anchors (PEM); the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// The agent's name, as registered at the policy server.
    pub agent_name: String,
    /// The agent's secret, as registered at the policy server; may be absent where a certificate does.
    pub agent_secret: Option<Secret<String>>,
    /// What the agent shows at the TLS handshake, if the server asks.
    pub client_certificate: Option<ClientCertificate>,
    /// Deadline of each call, over all servers.
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
    /// If an address, the trust anchors or the client certificate are unusable.
    pub fn new(settings: &NativeSettings) -> Result<Self, ClientError> {
        let secret = settings.agent_secret.as_ref();
        let transport = Transport::new(&TransportSettings {
            servers: settings.servers.clone(),
            ca_file: settings.ca_file.clone(),
            client_certificate: settings.client_certificate.clone(),
            authorization: secret.map(|secret| basic(&settings.agent_name, secret.expose())),
            timeout: settings.timeout,
            dialect: Dialect::Native,
        })?;
        Ok(Self { transport })
    }
}

impl PolicyCalls for NativeClient {
    fn is_protected(
        &self,
        request: IsProtectedRequest,
    ) -> BoxFuture<'_, Result<IsProtectedAnswer, PolicyError>> {
        Box::pin(async move { self.transport.ask(&["is-protected"], &request).await })
    }

    fn login(&self, request: LoginRequest) -> BoxFuture<'_, Result<LoginAnswer, PolicyError>> {
        Box::pin(async move { self.transport.post(&["login"], &request).await })
    }

    fn validate(
        &self,
        request: ValidateRequest,
    ) -> BoxFuture<'_, Result<ValidateAnswer, PolicyError>> {
        Box::pin(async move { self.transport.ask(&["validate"], &request).await })
    }

    fn authorize(
        &self,
        request: AuthorizeRequest,
    ) -> BoxFuture<'_, Result<AuthorizeAnswer, PolicyError>> {
        Box::pin(async move { self.transport.ask(&["authorize"], &request).await })
    }

    fn logout(&self, request: LogoutRequest) -> BoxFuture<'_, Result<LogoutAnswer, PolicyError>> {
        Box::pin(async move { self.transport.ask(&["logout"], &request).await })
    }

    fn session_service(
        &self,
        request: SessionServiceRequest,
    ) -> BoxFuture<'_, Result<SessionServiceAnswer, PolicyError>> {
        Box::pin(async move { self.transport.ask(&["session-service"], &request).await })
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
            let sequence = position.as_ref().map(|at| at.sequence.to_string());
            let query: Vec<_> = match (&position, &sequence) {
                (Some(EventPosition { instance, .. }), Some(sequence)) => vec![
                    ("instance", instance.as_str()),
                    ("sequence", sequence.as_str()),
                ],
                _ => Vec::new(),
            };
            let (chunks, asked, source) = self.transport.stream(&["events"], &query).await?;
            let events = event_lines::decode(chunks, asked).inspect(move |event| {
                if matches!(event, Err(PolicyError::TimedOut)) {
                    source.fell_silent();
                }
            });
            Ok(Box::pin(events) as EventStream)
        })
    }
}
