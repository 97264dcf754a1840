//! The policy server: its parts put together, and what runs in the background.

use std::any::Any;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use policy_client::PolicyError;
use policy_protocol::{Clock, SessionId, Timestamp};
use tokio::sync::watch;

use crate::agents::{Agents, Hash, Proof};
use crate::answer_time::AnswerTime;
use crate::audit::Audit;
use crate::config::assertions::Assertions;
use crate::config::keys::{MasterKeySource, MasterKeys};
use crate::config::sessions::SessionsConfig;
use crate::config::store::StoreConfig;
use crate::config::{Limits, PolicyServerConfig, Problems};
use crate::directory::Directories;
use crate::events::Events;
use crate::feed::{self, FeedError};
use crate::http::credentials::Refusals;
use crate::key_administration::RolloverWait;
use crate::keys::{self, KeyError, Keys};
use crate::maintenance::{self, Pending};
use crate::master_key::{self, MasterKey, MasterKeyError};
use crate::policy::store::PolicyStore;
use crate::presence::{self, Presence, Process};
use crate::regulation::Regulation;
use crate::second_factor::{OpenSecondFactors, SecondFactors};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};
use crate::store_health::StoreHealth;
use crate::uses::Uses;

/// How far the clocks of policy servers may be apart: no session may be dated further ahead, and what ends
/// sessions is kept this much longer than they could live.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// A policy server.
pub struct PolicyServer {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directories: Directories,
    pub(crate) store: Arc<dyn Store>,
    /// What following its feed tells of it.
    pub(crate) store_health: StoreHealth,
    /// Seals what is secret in the store.
    pub(crate) master_key: Arc<MasterKey>,
    /// Uses of sessions that the store will be told of.
    pub(crate) uses: Uses,
    pub(crate) keys: Keys,
    pub(crate) events: Events,
    pub(crate) audit: Audit,
    pub(crate) limits: Limits,
    pub(crate) sessions: SessionsConfig,
    pub(crate) assertions: Assertions,
    pub(crate) regulation: Regulation,
    pub(crate) second_factors: SecondFactors,
    pub(crate) answer_time: AnswerTime,
    pub(crate) policies: PolicyStore,
    /// Agents that may ask over HTTPS.
    pub(crate) agents: Arc<Agents>,
    /// Agents that listen here.
    pub(crate) presence: Arc<Presence>,
    pub(crate) admin: Option<Hash>,
    pub(crate) refused_administrators: Refusals,
    pub(crate) rollover: Duration,
    pub(crate) rollover_wait: RolloverWait,
    pub(crate) pending: Pending,
    /// Ends what runs in the background.
    stopped: watch::Sender<bool>,
}

/// Why a policy server could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A user directory cannot be opened.
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
    /// There is no master key, or it is not the one that the keys in the store are sealed with.
    #[error("{0}")]
    MasterKey(String),
    /// Audit records cannot be written.
    #[error("audit: {0}")]
    Audit(std::io::Error),
    /// The feed of the store cannot be used.
    #[error("feed of the store: {0}")]
    Feed(String),
}

/// The policy server as one agent sees it.
#[derive(Clone)]
pub struct AgentHandle {
    pub(crate) server: Arc<PolicyServer>,
    pub(crate) agent: Arc<str>,
    /// The agent's name and which process of that name.
    pub(crate) process: Process,
    /// Where it is, if it is not in this process.
    pub(crate) address: Option<SocketAddr>,
    /// How it proved who it is, if it had to.
    pub(crate) proof: Option<Proof>,
}

impl PolicyServer {
    /// Opens the store, the users and the policies, makes the first keys, and starts the background work,
    /// which goes on until the last reference is dropped.
    ///
    /// # Errors
    /// If anything of that cannot be done; nothing runs then.
    pub async fn open(
        config: PolicyServerConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        let store = open_store(&config)
            .await
            .map_err(|error| unusable(&config, &error))?;
        Self::open_with(config, store, clock).await
    }

    /// The same with a store that is open already, such as one that several policy servers of one process
    /// share.
    ///
    /// # Errors
    /// If anything of that cannot be done; nothing runs then.
    pub async fn open_with(
        config: PolicyServerConfig,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        Self::open_proving(config, store, clock, SecondFactors::new).await
    }

    /// The same with second factors of one's own.
    pub(crate) async fn open_proving(
        config: PolicyServerConfig,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        second_factors: OpenSecondFactors,
    ) -> Result<Arc<Self>, OpenError> {
        let state = |error: &dyn Display| unusable(&config, error);
        let directories = Directories::open(&config.directories).map_err(OpenError::Users)?;
        let audit =
            Audit::open(config.audit.clone(), config.name.clone()).map_err(OpenError::Audit)?;
        let policies = PolicyStore::open(config.policies_file.as_deref(), config.directory_names())
            .map_err(OpenError::Policies)?;
        let master_key = Arc::new(open_master_key(&config, &*store).await?);
        let keys = Keys::open(
            Arc::clone(&store),
            Arc::clone(&master_key),
            config.limits.max_timeout,
            Arc::clone(&clock),
        )
        .await
        .map_err(|error| match error {
            KeyError::Sealed(_) => OpenError::MasterKey(error.to_string()),
            other => state(&other),
        })?;
        let agents = Agents::open(&config.agents, Arc::clone(&store), Arc::clone(&master_key))
            .await
            .map_err(|error| state(&error))?;
        let address = config.listen.as_ref().map(|listen| listen.address);
        let presence =
            Arc::new(Presence::new(&config.name, address).map_err(|error| state(&error))?);
        let regulation = Regulation::new(Arc::clone(&store), Arc::clone(&clock), config.regulation);
        let second_factors = second_factors(
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::clone(&master_key),
        );
        let server = Arc::new(Self {
            clock,
            directories,
            store: Arc::clone(&store),
            store_health: StoreHealth::default(),
            master_key,
            uses: Uses::default(),
            keys,
            events: Events::new(),
            audit,
            limits: config.limits,
            sessions: config.sessions,
            assertions: config.assertions,
            regulation,
            second_factors,
            answer_time: AnswerTime::new(),
            agents: Arc::new(agents),
            presence: Arc::clone(&presence),
            admin: config
                .admin_secret
                .as_ref()
                .map(|secret| Hash::of(secret.expose().as_bytes())),
            refused_administrators: Refusals::default(),
            rollover: config.agent_key_rollover,
            rollover_wait: RolloverWait::default(),
            policies,
            pending: Pending::default(),
            stopped: watch::Sender::new(false),
        });
        server
            .flush_caches_when_due()
            .await
            .map_err(|_| OpenError::Feed(String::from("it cannot be written to")))?;
        let place = feed::catch_up(&server)
            .await
            .map_err(|error: FeedError| OpenError::Feed(error.to_string()))?;
        server.store_health.alive();
        let weak = Arc::downgrade(&server);
        tokio::spawn(feed::run(
            Weak::clone(&weak),
            store,
            place,
            server.stopped.subscribe(),
        ));
        tokio::spawn(presence::run(Weak::clone(&weak), presence));
        maintenance::start(&weak);
        Ok(server)
    }

    /// The policy server as the agent `name` sees it, without a network between.
    pub fn as_agent(self: &Arc<Self>, name: &str) -> AgentHandle {
        // Without randomness it is the only one of its name.
        let instance = SessionId::random().map_or_else(|_| name.to_owned(), |id| id.to_string());
        AgentHandle {
            server: Arc::clone(self),
            agent: name.into(),
            process: (name.into(), instance.into()),
            address: None,
            proof: None,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Drop for PolicyServer {
    fn drop(&mut self) {
        self.stopped.send_replace(true);
    }
}

async fn open_store(config: &PolicyServerConfig) -> Result<Arc<dyn Store>, StoreError> {
    match &config.store {
        StoreConfig::Sqlite => {
            let state_dir = config.state_dir.clone();
            let opening = tokio::task::spawn_blocking(move || SqliteStore::open(&state_dir));
            Ok(Arc::new(opening.await.map_err(|_| StoreError::stopped())??))
        }
        #[cfg(feature = "postgres")]
        StoreConfig::Postgres(settings) => {
            let store = crate::store::postgres::PostgresStore::open(settings);
            Ok(Arc::new(store.await?))
        }
        #[cfg(feature = "valkey")]
        StoreConfig::Valkey(settings) => {
            let store = crate::store::valkey::ValkeyStore::open(settings);
            Ok(Arc::new(store.await?))
        }
        #[allow(unreachable_patterns, reason = "not if it was built with all of them")]
        StoreConfig::Valkey(_) | StoreConfig::Postgres(_) => Err(StoreError::Failed(String::from(
            "this program was built without this kind of store",
        ))),
    }
}

fn unusable(config: &PolicyServerConfig, problem: &dyn Display) -> OpenError {
    OpenError::State {
        path: config.state_dir.display().to_string(),
        problem: problem.to_string(),
    }
}

/// The master key that is given, or that of the state folder. It is only made for a store without keys.
async fn open_master_key(
    config: &PolicyServerConfig,
    store: &dyn Store,
) -> Result<MasterKey, OpenError> {
    let previous = match &config.master_key {
        MasterKeySource::Given(keys) => return Ok(MasterKey::new(keys)),
        MasterKeySource::StateDir { previous } => previous.clone(),
    };
    let has_keys = keys::exist(store)
        .await
        .map_err(|error| unusable(config, &error))?;
    let state_dir = config.state_dir.clone();
    let opened =
        tokio::task::spawn_blocking(move || master_key::of_state_dir(&state_dir, !has_keys));
    let opened = opened.await.map_err(|error| unusable(config, &error))?;
    let current =
        opened.map_err(|error: MasterKeyError| OpenError::MasterKey(error.to_string()))?;
    Ok(MasterKey::new(&MasterKeys { current, previous }))
}

/// Logs why something failed. Who asked learns only that it did, or that the store has no room.
pub(crate) fn failure(error: impl Display + 'static) -> PolicyError {
    tracing::error!(%error, "policy server failed");
    match (&error as &dyn Any).downcast_ref() {
        // Agents are not to take it for a policy server that fails.
        Some(StoreError::NoRoom(_)) => PolicyError::NoRoom,
        _ => PolicyError::Failure,
    }
}
