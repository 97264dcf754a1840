//! The policy server: its parts put together, and what runs in the background.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Weak};
use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::{Clock, EventKind, Timestamp};
use tokio::runtime::Handle;

use crate::config::{Limits, PolicyServerConfig, Problems};
use crate::directory::Directory;
use crate::directory::file::FileDirectory;
use crate::events::Events;
use crate::http::credentials::SecretHash;
use crate::keys::Keys;
use crate::policy::store::PolicyStore;
use crate::store::SessionStore;
use crate::store::sqlite::SqliteStore;

/// How often keys, users and what has reached its end are looked after.
const MAINTENANCE: Duration = Duration::from_secs(10);
/// How far the clocks of policy servers may be apart.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// A policy server.
pub struct PolicyServer {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) keys: Keys,
    pub(crate) events: Events,
    pub(crate) limits: Limits,
    pub(crate) policies: PolicyStore,
    /// Agents that may ask over HTTPS, by name.
    pub(crate) agents: HashMap<String, SecretHash>,
    pub(crate) admin: Option<SecretHash>,
    rollover: Duration,
}

/// Why a policy server could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The users file has mistakes.
    #[error("{0}")]
    Users(Problems),
    /// The policies file has mistakes.
    #[error("{0}")]
    Policies(Problems),
    /// The state folder cannot be used.
    #[error("state folder {path}: {problem}")]
    State {
        /// The folder.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The operating system has no randomness to give.
    #[error("there is no randomness to be had")]
    NoRandomness,
    /// Opened outside a Tokio runtime, which the background work needs.
    #[error("a policy server needs a Tokio runtime")]
    NoRuntime,
}

/// The policy server as one agent sees it.
#[derive(Clone)]
pub struct AgentHandle {
    pub(crate) server: Arc<PolicyServer>,
    pub(crate) agent: Arc<str>,
}

impl PolicyServer {
    /// Opens the state folder, the users and the policies, makes the first keys, and starts the background
    /// work, which goes on until the last reference is dropped. Blocks for as long as that takes.
    ///
    /// # Errors
    /// If anything of that cannot be done; nothing runs then.
    pub fn open(config: PolicyServerConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let runtime = Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        let state = |error: &dyn Display| OpenError::State {
            path: config.state_dir.display().to_string(),
            problem: error.to_string(),
        };
        let directory = FileDirectory::open(&config.users_file).map_err(OpenError::Users)?;
        let policies = PolicyStore::open(config.policies_file.as_deref(), config.directory_names())
            .map_err(OpenError::Policies)?;
        let store = Arc::new(SqliteStore::open(&config.state_dir).map_err(|error| state(&error))?);
        let max_timeout = config.limits.max_timeout;
        let keys = Keys::open(Arc::clone(&store) as _, max_timeout, clock.now())
            .map_err(|error| state(&error))?;
        let agents = config.agents.iter();
        let server = Arc::new(Self {
            clock,
            directory: Arc::new(directory),
            sessions: store,
            keys,
            events: Events::new().map_err(|_| OpenError::NoRandomness)?,
            limits: config.limits,
            agents: agents
                .map(|agent| (agent.name.clone(), SecretHash::of(&agent.secret)))
                .collect(),
            admin: config.admin_secret.as_ref().map(SecretHash::of),
            rollover: config.agent_key_rollover,
            policies,
        });
        runtime.spawn(maintain(Arc::downgrade(&server)));
        Ok(server)
    }

    /// The policy server as the agent `name` sees it, without a network between.
    pub fn as_agent(self: &Arc<Self>, name: &str) -> AgentHandle {
        AgentHandle {
            server: Arc::clone(self),
            agent: name.into(),
        }
    }

    /// Makes the next agent key current, and a new one next; the old one opens cookies for as long as
    /// any may live. The session ticket key rolls over with it. Agents are told.
    ///
    /// # Errors
    /// If the new keys cannot be kept; the old ones are then still in force.
    pub async fn roll_agent_keys(&self) -> Result<(), PolicyError> {
        self.keys.roll(self.now()).await.map_err(failure)?;
        tracing::info!("keys rolled over");
        self.events.publish(EventKind::KeysRolled);
        Ok(())
    }

    /// One round of what the background does: rolls keys over when it is time, drops what has reached
    /// its end, lets agents ask anew when users or policies have changed, and ends the sessions of those who may
    /// not log in any more.
    ///
    /// # Errors
    /// If any part of it failed; the other parts are done.
    pub async fn maintain(&self) -> Result<(), PolicyError> {
        let parts = [
            self.refresh_users().await,
            self.refresh_policies(),
            self.roll_keys_when_due().await,
            self.sessions
                .remove_expired(self.now())
                .await
                .map_err(failure),
        ];
        parts.into_iter().collect()
    }

    async fn refresh_users(&self) -> Result<(), PolicyError> {
        let changes = self.directory.refresh().await.map_err(failure)?;
        if changes.to_known_users {
            self.events.publish(EventKind::CacheFlush);
        }
        for universal_id in changes.gone {
            self.end_sessions_of(&universal_id).await?;
        }
        Ok(())
    }

    fn refresh_policies(&self) -> Result<(), PolicyError> {
        let changed = self.policies.refresh().map_err(|problems| {
            tracing::error!(%problems, "policies file ignored, the policies are as before");
            PolicyError::Failure
        })?;
        if changed {
            self.events.publish(EventKind::CacheFlush);
        }
        Ok(())
    }

    async fn roll_keys_when_due(&self) -> Result<(), PolicyError> {
        if self.now().since(self.keys.rolled_at()) >= self.rollover {
            self.roll_agent_keys().await?;
        }
        if self.keys.drop_old(self.now()).await.map_err(failure)? {
            self.events.publish(EventKind::KeysRolled);
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Looks after a policy server until nobody uses it any more.
async fn maintain(server: Weak<PolicyServer>) {
    loop {
        tokio::time::sleep(MAINTENANCE).await;
        let Some(server) = server.upgrade() else {
            return;
        };
        // Its failures are logged where they happen, and the next round tries again.
        _ = server.maintain().await;
    }
}

/// Logs why something failed. Who asked learns only that it did.
pub(crate) fn failure(error: impl Display) -> PolicyError {
    tracing::error!(%error, "policy server failed");
    PolicyError::Failure
}
