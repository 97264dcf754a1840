//! A gateway in a world of its own: origin, policy server, certificates, users, clock.
//!
//! ```text
//! Gateway ── its agent's listeners ──> World { origin, policy server, clock, pki, folder }
//! ```
//! Several gateways may share a world ([`Gateway::beside`]).

mod setup;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use agent::config::env::Environment;
use agent::config::problem::Problems;
use agent::config::{Config, PolicyServerKind};
use agent::{Agent, RunningAgent};
use policy_client::PolicyCalls;
use policy_client::am::{AmClient, AmSettings};
use policy_client::authaz::AuthAzClient;
use policy_client::vsphere::VSphereClient;
use policy_protocol::ManualClock;
use rustls::ClientConfig;
use tempfile::TempDir;
use tokio::sync::watch;
use toml::Table;

pub use self::setup::Setup;
use crate::policy_host::PolicyHost;
use crate::policy_watch::{PolicyWatch, Watched};
use crate::toml_merge::merge;
use crate::{Client, Leaf, Origin, Pki, Protocol, RawClient, RawHttp2, eventually};

/// The name that clients ask for unless they say otherwise.
pub const HOST: &str = "app.test";
/// Every sample user's password. Long and odd enough to be looked for in logs.
pub const PASSWORD: &str = "correct horse battery staple";

/// Where the policy server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// In the agent's process.
    Embedded,
    /// On a port of its own, over HTTPS.
    Remote,
}

impl Deployment {
    /// Both, for tests that must hold in either.
    pub const BOTH: [Self; 2] = [Self::Embedded, Self::Remote];
}

/// What agents share.
#[derive(Debug)]
pub struct World {
    /// The protected application.
    pub origin: Origin,
    /// The way to the policy server.
    pub policy: Arc<PolicyWatch>,
    /// The policy server.
    pub policy_server: PolicyHost,
    /// The time of agents and policy server.
    pub clock: Arc<ManualClock>,
    /// Everybody trusts it.
    pub pki: Pki,
    /// What the first listener shows.
    pub certificate: Leaf,
    /// Holds all files.
    pub folder: TempDir,
}

/// One agent, in its world.
#[derive(Debug)]
pub struct Gateway {
    world: Arc<World>,
    config: Table,
    agent: Option<RunningAgent>,
}

fn parse(toml: &str) -> Table {
    toml.parse()
        .unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

impl Deref for Gateway {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Gateway {
    /// A gateway as it comes.
    pub async fn start() -> Self {
        Self::setup().start().await
    }

    /// A gateway that differs.
    pub fn setup() -> Setup {
        crate::pki::install_crypto_provider();
        crate::logs::install();
        Setup::new()
    }

    async fn run(world: Arc<World>, config: Table) -> Self {
        let agent = start_agent(&world, &config).await;
        Self {
            world,
            config,
            agent: Some(agent),
        }
    }

    /// Another agent in the same world, with the same configuration but for `toml`.
    pub async fn beside(&self, toml: &str) -> Self {
        let mut config = self.config.clone();
        merge(&mut config, parse(toml));
        Self::run(Arc::clone(&self.world), config).await
    }

    /// Drains the agent and starts it anew: an empty cache on a new port.
    pub async fn restart(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.drain().await;
        }
        self.agent = Some(start_agent(&self.world, &self.config).await);
    }

    /// Swaps the configuration for the same one with `toml` laid over it.
    ///
    /// # Errors
    /// What the agent says against it.
    pub async fn reload(&self, toml: &str) -> Result<(), String> {
        let mut config = self.config.clone();
        merge(&mut config, parse(toml));
        let config = load(&self.world, &config).map_err(|problems| problems.to_string())?;
        self.running()
            .reload(config)
            .await
            .map_err(|error| error.to_string())
    }

    /// Drains the agent; returns when nothing is in progress any more.
    pub async fn drain(mut self) -> Arc<World> {
        self.agent.take().expect("running").drain().await;
        Arc::clone(&self.world)
    }

    /// What it shares with others.
    pub const fn world(&self) -> &Arc<World> {
        &self.world
    }

    fn running(&self) -> &RunningAgent {
        self.agent.as_ref().expect("running")
    }

    /// The first listener.
    pub fn address(&self) -> SocketAddr {
        self.addresses()[0]
    }

    /// All listeners, in the order of the configuration.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.running().addresses().to_vec()
    }

    /// A client of `https://app.test`.
    pub fn client(&self, protocol: Protocol) -> Client {
        self.client_of(HOST, protocol)
    }

    /// A client of `https://host`.
    pub fn client_of(&self, host: &str, protocol: Protocol) -> Client {
        Client::new(
            self.address(),
            host,
            protocol,
            Some(self.pki.client_config(&[], None)),
        )
    }

    /// How its agent asks AM.
    ///
    /// # Panics
    /// If it asks something else.
    pub fn am_settings(&self) -> AmSettings {
        let config =
            load(&self.world, &self.config).unwrap_or_else(|problems| panic!("{problems}"));
        match config.policy_server.kind {
            PolicyServerKind::Am(settings) => settings,
            other => panic!("not AM: {other:?}"),
        }
    }

    /// A client of the admin listener.
    pub fn admin(&self) -> Client {
        let address = self.running().admin_address().expect("an admin listener");
        Client::new(address, "localhost", Protocol::Http1, None)
    }

    /// TLS for HTTP/1.1 connections.
    pub fn tls(&self) -> Arc<ClientConfig> {
        Arc::new(self.pki.client_config(&["http/1.1"], None))
    }

    /// An HTTP/2 connection for `app.test` that can say anything.
    pub async fn raw_http2(&self) -> RawHttp2 {
        let tls = Arc::new(self.pki.client_config(&["h2"], None));
        RawHttp2::connect(self.address(), HOST, &tls).await
    }

    /// An HTTP/1.1 connection for `app.test` that can say anything.
    pub async fn raw(&self) -> RawClient {
        RawClient::connect(self.address(), HOST, &self.tls()).await
    }
}

fn load(world: &World, config: &Table) -> Result<Config, Problems> {
    let text = config.to_string();
    agent::config::load_text(
        &text,
        "agent.toml",
        world.folder.path(),
        &Environment::default(),
    )
}

async fn start_agent(world: &World, config: &Table) -> RunningAgent {
    let config = load(world, config).unwrap_or_else(|problems| panic!("{problems}\n{config}"));
    let reachable = world.policy.is_open() && world.policy_server.is_running();
    let clock: Arc<ManualClock> = Arc::clone(&world.clock);
    let policy = policy_calls(world, &config);
    let agent = Agent::start(config, policy, clock)
        .await
        .unwrap_or_else(|error| panic!("the agent does not start: {error}"));
    if reachable {
        // Only then does it believe its cache.
        eventually("the agent hears of events", async || {
            agent.is_ready().then_some(())
        })
        .await;
    }
    agent
}

/// The policy server of the world, or the other system that the configuration names.
fn policy_calls(world: &World, config: &Config) -> Arc<dyn PolicyCalls> {
    let clock: Arc<ManualClock> = Arc::clone(&world.clock);
    let other: Arc<dyn PolicyCalls> = match &config.policy_server.kind {
        PolicyServerKind::AuthAz(settings) => {
            Arc::new(AuthAzClient::new(settings, clock).expect("a client"))
        }
        PolicyServerKind::Am(settings) => {
            Arc::new(AmClient::new(settings, clock).expect("a client"))
        }
        PolicyServerKind::VSphere(settings) => {
            Arc::new(VSphereClient::new(settings, clock).expect("a client"))
        }
        PolicyServerKind::Embedded { .. } | PolicyServerKind::Native { .. } => {
            return world.policy_server.calls(&world.policy, &config.agent_name);
        }
    };
    let slot = Arc::new(watch::Sender::new(Some(other)));
    Arc::new(Watched::new(&world.policy, &slot))
}
