//! Sessions administration at Doorward's own policy server.

use std::path::PathBuf;
use std::time::Duration;

use policy_protocol::explain::{ExplainAnswer, ExplainRequest};
use policy_protocol::message::SessionSummary;
use policy_protocol::user_administration::{EnrolRequest, Enrolment, UserStatus};
use policy_protocol::{Secret, SessionId};

use crate::PolicyError;
use crate::settings::{ClientError, ServerList, TransportSettings};
use crate::transport::Transport;

/// Where the policy server is, and the administrators' secret.
#[derive(Clone, Debug)]
pub struct AdminSettings {
    /// `https://` addresses in order of preference.
    pub urls: Vec<String>,
    /// Trust anchors (PEM); the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// The secret of `[admin]` in the policy server's configuration.
    pub admin_secret: Secret<String>,
    /// Deadline of each call, over all addresses.
    pub timeout: Duration,
}

/// A client for administrators.
pub struct AdminClient {
    transport: Transport,
}

impl AdminClient {
    /// Prepares a client. Nothing is connected yet.
    ///
    /// # Errors
    /// If an address or the trust anchors are unusable.
    pub fn new(settings: &AdminSettings) -> Result<Self, ClientError> {
        let transport = Transport::new(&TransportSettings {
            servers: ServerList::in_order(settings.urls.clone()),
            ca_file: settings.ca_file.clone(),
            client_certificate: None,
            authorization: Some(Secret::new(format!(
                "Bearer {}",
                settings.admin_secret.expose()
            ))),
            timeout: settings.timeout,
        })?;
        Ok(Self { transport })
    }

    /// Persistent sessions, the newest first, at most a thousand; of one user only if `user` is a
    /// universal id or login name.
    ///
    /// # Errors
    /// If the server gave no answer.
    pub async fn sessions(&self, user: Option<&str>) -> Result<Vec<SessionSummary>, PolicyError> {
        let query: Vec<_> = user.map(|user| ("user", user)).into_iter().collect();
        self.transport
            .get(&["sessions"], &query)
            .await?
            .ok_or(PolicyError::Protocol)
    }

    /// One persistent session, if it lives.
    ///
    /// # Errors
    /// If the server gave no answer.
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionSummary>, PolicyError> {
        self.transport
            .get(&["sessions", &id.to_string()], &[])
            .await
    }

    /// What policies say of a user and a resource, rule by rule.
    ///
    /// # Errors
    /// If the server gave no answer.
    pub async fn explain(&self, request: &ExplainRequest) -> Result<ExplainAnswer, PolicyError> {
        self.transport.post(&["explain"], request).await
    }

    /// Ends one session everywhere, persistent or not.
    ///
    /// # Errors
    /// If the server gave no answer; the session may then live on.
    pub async fn revoke_session(&self, id: SessionId) -> Result<(), PolicyError> {
        self.transport.delete(&["sessions", &id.to_string()]).await
    }

    /// Ends every session of a user everywhere, persistent or not.
    ///
    /// # Errors
    /// If the server gave no answer; sessions may then live on.
    pub async fn revoke_user(&self, universal_id: &str) -> Result<(), PolicyError> {
        self.transport
            .delete(&["users", universal_id, "sessions"])
            .await
    }

    /// How the logins of a user stand, by login name or universal id.
    ///
    /// # Errors
    /// If the server gave no answer.
    pub async fn user_status(&self, name: &str) -> Result<UserStatus, PolicyError> {
        let status = self.transport.get(&["users", name], &[]).await?;
        status.ok_or(PolicyError::Protocol)
    }

    /// Forgets the failed logins of a user, by login name or universal id.
    ///
    /// # Errors
    /// If the server gave no answer; a lockout may then go on.
    pub async fn unlock_user(&self, name: &str) -> Result<(), PolicyError> {
        self.transport.delete(&["users", name, "lockout"]).await
    }

    /// Gives a user a second factor. `issuer` is what apps show beside the user's name.
    ///
    /// # Errors
    /// If the server gave no answer, there is no such user, or they have one.
    pub async fn enrol_second_factor(
        &self,
        name: &str,
        issuer: &str,
    ) -> Result<Enrolment, PolicyError> {
        let request = EnrolRequest {
            issuer: issuer.to_owned(),
        };
        let path = ["users", name, "second-factor"];
        self.transport.post(&path, &request).await
    }

    /// Takes a user's second factor away.
    ///
    /// # Errors
    /// If the server gave no answer, or there is none.
    pub async fn remove_second_factor(&self, name: &str) -> Result<(), PolicyError> {
        let path = ["users", name, "second-factor"];
        self.transport.delete(&path).await
    }
}
