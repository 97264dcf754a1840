//! Administration of sessions, keys and agents at Doorward's own policy server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use policy_protocol::administration::{
    AddAgentRequest, AgentAnswer, AgentsReport, KeysReport, RollAnswer, RollRequest,
    RotateAgentRequest,
};
use policy_protocol::explain::{ExplainAnswer, ExplainRequest};
use policy_protocol::sessions::{PropertyChanges, SessionDetails, SessionList, SessionQuery};
use policy_protocol::user_administration::{EnrolRequest, Enrolment, UserStatus};
use policy_protocol::{Secret, SessionId};

use crate::PolicyError;
use crate::limits::PROBE_TIMEOUT;
use crate::settings::{ClientError, Dialect, ServerList, TransportSettings};
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

/// Whether the policy server at an `https://` address says that it is ready. Anybody may ask.
///
/// # Errors
/// If the address or the trust anchors are unusable.
pub async fn is_ready(url: String, ca_file: Option<PathBuf>) -> Result<bool, ClientError> {
    let transport = Transport::new(&TransportSettings {
        servers: ServerList::in_order(vec![url]),
        ca_file,
        client_certificate: None,
        authorization: None,
        timeout: PROBE_TIMEOUT,
        dialect: Dialect::Native,
    })?;
    Ok(transport.is_ready().await)
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
            dialect: Dialect::Native,
        })?;
        Ok(Self { transport })
    }

    /// A page of sessions, the newest first.
    ///
    /// # Errors
    /// If the server gave no answer.
    pub async fn sessions(&self, query: &SessionQuery) -> Result<SessionList, PolicyError> {
        let SessionQuery {
            user,
            agent,
            realm,
            started_from,
            started_until,
            limit,
            after,
        } = query;
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let texts = [
            ("user", user.clone()),
            ("agent", agent.clone()),
            ("realm", realm.clone()),
            ("started_from", number(started_from.map(|time| time.0))),
            ("started_until", number(started_until.map(|time| time.0))),
            ("limit", limit.map(|limit| limit.to_string())),
            ("after", after.clone()),
        ];
        let given = texts.iter();
        let given: Vec<_> = given
            .filter_map(|(name, text)| Some((*name, text.as_deref()?)))
            .collect();
        self.transport
            .get(&["sessions"], &given)
            .await?
            .ok_or(PolicyError::Protocol)
    }

    /// One session, if there is one of this id, and what will become of it.
    ///
    /// # Errors
    /// If the server gave no answer.
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionDetails>, PolicyError> {
        self.transport
            .get(&["sessions", &id.to_string()], &[])
            .await
    }

    /// Counts as a use of a session, now.
    ///
    /// # Errors
    /// If there is no such session, its time is over, or the server gave no answer.
    pub async fn reset_idle(&self, id: SessionId) -> Result<SessionDetails, PolicyError> {
        self.transport
            .post(&["sessions", &id.to_string(), "reset-idle"], &())
            .await
    }

    /// Sets and removes properties of a session, and returns those it then has.
    ///
    /// # Errors
    /// If a name is not allowed, there is no such session, or the server gave no answer.
    pub async fn change_properties(
        &self,
        id: SessionId,
        changes: &PropertyChanges,
    ) -> Result<BTreeMap<String, String>, PolicyError> {
        self.transport
            .post(&["sessions", &id.to_string(), "properties"], changes)
            .await
    }

    /// What policies say of a user and a resource, rule by rule.
    ///
    /// # Errors
    /// If the server gave no answer.
    pub async fn explain(&self, request: &ExplainRequest) -> Result<ExplainAnswer, PolicyError> {
        self.transport.ask(&["explain"], request).await
    }

    /// Ends one session everywhere, persistent or not.
    ///
    /// # Errors
    /// If the server gave no answer; the session may then live on.
    pub async fn revoke_session(&self, id: SessionId) -> Result<(), PolicyError> {
        self.transport
            .delete(&["sessions", &id.to_string()], &[])
            .await
    }

    /// Ends every session of a user everywhere, persistent or not.
    ///
    /// # Errors
    /// If the server gave no answer; sessions may then live on.
    pub async fn revoke_user(&self, universal_id: &str) -> Result<(), PolicyError> {
        self.transport
            .delete(&["users", universal_id, "sessions"], &[])
            .await
    }

    /// Ends every session of all users everywhere, persistent or not.
    ///
    /// # Errors
    /// If the server gave no answer; sessions may then live on.
    pub async fn revoke_all(&self) -> Result<(), PolicyError> {
        self.transport
            .delete(&["sessions"], &[("all", "true")])
            .await
    }

    /// All keys, without the keys themselves, and which agents have which.
    ///
    /// # Errors
    /// If the server gave no answer.
    pub async fn keys(&self) -> Result<KeysReport, PolicyError> {
        let report = self.transport.get(&["keys"], &[]).await?;
        report.ok_or(PolicyError::Protocol)
    }

    /// Rolls keys over.
    ///
    /// # Errors
    /// If the server gave no answer; they may then have been rolled over.
    pub async fn roll_keys(&self, request: &RollRequest) -> Result<RollAnswer, PolicyError> {
        self.transport.post(&["keys", "roll"], request).await
    }

    /// All agents, and where they are.
    ///
    /// # Errors
    /// If the server gave no answer.
    pub async fn agents(&self) -> Result<AgentsReport, PolicyError> {
        let report = self.transport.get(&["agents"], &[]).await?;
        report.ok_or(PolicyError::Protocol)
    }

    /// Adds an agent.
    ///
    /// # Errors
    /// If the server gave no answer; the agent may then have been added.
    pub async fn add_agent(&self, request: &AddAgentRequest) -> Result<AgentAnswer, PolicyError> {
        self.transport.post(&["agents"], request).await
    }

    /// Gives an agent a new secret or certificate.
    ///
    /// # Errors
    /// If the server gave no answer; the agent may then have a new one.
    pub async fn rotate_agent(
        &self,
        name: &str,
        request: &RotateAgentRequest,
    ) -> Result<AgentAnswer, PolicyError> {
        self.transport
            .post(&["agents", name, "rotate"], request)
            .await
    }

    /// Removes an agent.
    ///
    /// # Errors
    /// If the server gave no answer, or there is no such agent.
    pub async fn remove_agent(&self, name: &str) -> Result<(), PolicyError> {
        self.transport.delete(&["agents", name], &[]).await
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
        self.transport
            .delete(&["users", name, "lockout"], &[])
            .await
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
        self.transport.delete(&path, &[]).await
    }
}
