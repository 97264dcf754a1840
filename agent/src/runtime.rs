//! A running agent: server, pipeline, the link to the policy server and the admin listener, joined.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use policy_client::PolicyCalls;
use policy_protocol::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::admin::{self, AdminState};
use crate::config::Config;
use crate::login::unsent_logouts;
use crate::pipeline::Pipeline;
use crate::server::{self, RunningServer, ServerCounters};
use crate::session::cache::CacheStatistics;
use crate::session::{Sessions, link};
use crate::site::{Site, SiteError};
use crate::telemetry::{AccessLog, Metrics};

/// Why an agent does not start, or does not take on a configuration.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something that the configuration names is not what it should be.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// A listener cannot be had.
    #[error(transparent)]
    Server(#[from] server::StartError),
    /// The admin listener cannot be had.
    #[error("cannot listen on {address} for administration: {source}")]
    Admin {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The access log cannot be had.
    #[error("cannot start the access log: {0}")]
    AccessLog(io::Error),
}

/// The agent.
#[derive(Debug)]
pub struct Agent;

impl Agent {
    /// Starts an agent on a configuration. Calls to the policy server, and everything else that is not a
    /// request, run on the runtime that this is called on.
    ///
    /// Listeners accept at once; until the policy server has been reached, protected realms answer 503.
    ///
    /// # Errors
    /// See [`StartError`]; then nothing runs.
    pub async fn start(
        config: Config,
        policy: Arc<dyn PolicyCalls>,
        clock: Arc<dyn Clock>,
    ) -> Result<RunningAgent, StartError> {
        let workers = config.workers;
        let metrics = Arc::new(Metrics::new(workers.get()));
        let sessions = Arc::new(Sessions::new(
            policy,
            clock,
            metrics,
            config.session.cache_bytes,
        ));
        let access_log =
            AccessLog::start(&config.log, workers.get()).map_err(StartError::AccessLog)?;
        let (listeners, limits) = (config.listeners.clone(), config.limits.clone());
        let (admin_address, drain_timeout) = (config.admin, config.drain_timeout);
        warn_of_opt_outs(&config);
        let site = Site::build(config, None)?;
        let pipeline = Arc::new(Pipeline::new(site, Arc::clone(&sessions), access_log));
        let admin_listener = match admin_address {
            Some(address) => {
                let failed = |source| StartError::Admin { address, source };
                Some(TcpListener::bind(address).await.map_err(failed)?)
            }
            None => None,
        };
        let server = server::run(
            &listeners,
            &limits,
            workers,
            drain_timeout,
            Arc::clone(&pipeline),
        )?;
        let addresses = server.addresses();
        let admin_address = admin_listener
            .as_ref()
            .and_then(|listener| listener.local_addr().ok());
        let mut background = vec![
            tokio::spawn(link::run(Arc::clone(&sessions))),
            tokio::spawn(unsent_logouts::run(Arc::clone(&sessions))),
        ];
        let state = Arc::new(Operations {
            pipeline: Arc::clone(&pipeline),
            counters: Arc::clone(server.counters()),
        });
        background
            .extend(admin_listener.map(|listener| tokio::spawn(admin::serve(listener, state))));
        Ok(RunningAgent {
            pipeline,
            server,
            addresses,
            admin_address,
            _background: Background(background),
        })
    }
}

/// An agent that runs until it is drained or dropped.
#[derive(Debug)]
pub struct RunningAgent {
    pipeline: Arc<Pipeline>,
    server: RunningServer,
    addresses: Vec<SocketAddr>,
    admin_address: Option<SocketAddr>,
    _background: Background,
}

/// Tasks that end with the agent.
#[derive(Debug)]
struct Background(Vec<JoinHandle<()>>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl RunningAgent {
    /// The bound addresses at the start, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where operators look in.
    pub const fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Whether protected realms can be decided about: there are keys, and events arrive.
    pub fn is_ready(&self) -> bool {
        let sessions = self.pipeline.sessions();
        sessions.keys.are_loaded() && sessions.trust.is_listening(Instant::now())
    }

    /// Puts another configuration in force without dropping a connection.
    ///
    /// # Errors
    /// See [`StartError`]; then everything stays as it was.
    pub async fn reload(&self, config: Config) -> Result<(), StartError> {
        let metrics = &self.pipeline.sessions().metrics;
        let outcome = self.put_in_force(config);
        match outcome {
            Ok(()) => metrics.reloads.inc(),
            Err(_) => metrics.reload_failures.inc(),
        };
        outcome
    }

    fn put_in_force(&self, config: Config) -> Result<(), StartError> {
        let old = self.pipeline.site();
        for key in needs_restart(&old.config, &config) {
            tracing::warn!(key, "this setting takes effect at the next start");
        }
        warn_of_opt_outs(&config);
        // As many as run: pools are made for each.
        let mut config = Config {
            workers: old.config.workers,
            ..config
        };
        // Tokens are for the server that is asked, and that stays.
        config
            .policy_server
            .foreign
            .clone_from(&old.config.policy_server.foreign);
        let (listeners, limits) = (config.listeners.clone(), config.limits.clone());
        let zones_changed = (&old.config.session.zone, &old.config.session.trusted_zones)
            != (&config.session.zone, &config.session.trusted_zones);
        let site = Site::build(config, Some(&old))?;
        self.server.reload(&listeners, &limits)?;
        self.pipeline.replace_site(site);
        if zones_changed {
            self.pipeline.sessions().cache.flush();
        }
        Ok(())
    }

    /// Counts a configuration that was not even sound.
    pub fn refused_configuration(&self) {
        self.pipeline.sessions().metrics.reload_failures.inc();
    }

    /// Stops accepting, and returns when requests in progress have ended, or the drain timeout is over.
    pub async fn drain(self) {
        self.server.drain().await;
        self.pipeline.flush_access_log();
    }
}

fn warn_of_opt_outs(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// Settings that differ but are only read at the start.
fn needs_restart(old: &Config, new: &Config) -> impl Iterator<Item = &'static str> {
    let changed = [
        ("agent.workers", old.workers != new.workers),
        ("agent.admin", old.admin != new.admin),
        (
            "agent.drain_timeout",
            old.drain_timeout != new.drain_timeout,
        ),
        (
            "session.cache_size",
            old.session.cache_bytes != new.session.cache_bytes,
        ),
        ("policy_server", policy_server(old) != policy_server(new)),
        ("log", old.log != new.log),
    ];
    changed
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(key, _)| key)
}

/// What is written of the policy server, but for the grace, which is read at every request.
fn policy_server(config: &Config) -> serde_json::Value {
    let mut written = config.written["policy_server"].clone();
    if let Some(table) = written.as_object_mut() {
        table.remove("outage_grace");
    }
    written
}

/// What the admin listener shows.
#[derive(Debug)]
struct Operations {
    pipeline: Arc<Pipeline>,
    counters: Arc<ServerCounters>,
}

impl AdminState for Operations {
    fn ready(&self) -> Result<(), String> {
        let sessions = self.pipeline.sessions();
        if !sessions.keys.are_loaded() {
            return Err(String::from(
                "no agent keys have been received from the policy server yet",
            ));
        }
        Ok(())
    }

    fn config_json(&self) -> String {
        format!("{:#}", self.pipeline.site().config.written)
    }

    fn cache_statistics(&self) -> CacheStatistics {
        self.pipeline.sessions().cache.statistics()
    }

    fn flush_cache(&self) {
        self.pipeline.sessions().cache.flush();
        self.pipeline.sessions().trust.doubt();
    }

    fn metrics_text(&self) -> String {
        let metrics = &self.pipeline.sessions().metrics;
        let statistics = self.cache_statistics();
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        metrics.session_cache_entries.set(gauge(statistics.entries));
        metrics.session_cache_bytes.set(gauge(statistics.bytes));
        metrics
            .access_log_dropped
            .set(gauge(self.pipeline.access_log_dropped()));
        self.counters.publish(metrics);
        metrics.encode()
    }
}
