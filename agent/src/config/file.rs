//! The configuration file, exactly as an operator writes it.
//!
//! The doc comments here are the user documentation: they become the JSON Schema and the reference. Keys
//! that must be given are `Option` here, so that one missing key does not hide the next problem; their
//! presence is what the schema's `required` says.

pub mod listeners;
pub mod login;
pub mod policy_server;
pub mod realms;
pub mod services;
pub mod session;
pub mod upstreams;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults;
use super::units::{Network, Size, TimeSpan};

/// The configuration of one agent: where requests come in, what is protected and how, and who answers
/// for sessions.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Doorward agent", extend("required" = ["listeners", "policy_server", "upstreams", "realms"]))]
pub struct File {
    /// Networks of the proxies in front of this agent, whose `Forwarded` and `X-Forwarded-*` headers are
    /// believed. From anyone else those headers are dropped. Where both are there, `X-Forwarded-For` counts:
    /// a proxy that writes only `Forwarded` must be made to drop the client's `X-Forwarded-For`. A network that holds every address is refused.
    /// Classic name: ProxyDefinition, with networks instead of single addresses.
    pub trusted_proxies: Vec<Network>,
    /// The agent itself.
    pub agent: Agent,
    /// Where requests come in. At least one.
    #[schemars(length(min = 1))]
    pub listeners: Vec<listeners::Listener>,
    /// Who answers for sessions.
    pub policy_server: Option<policy_server::PolicyServer>,
    /// Cookies and the session cache.
    pub session: session::Session,
    /// What applications are told of the user.
    pub identity: session::Identity,
    /// Login and logout.
    pub login: login::Login,
    /// The applications behind this agent. At least one.
    #[schemars(length(min = 1))]
    pub upstreams: Vec<upstreams::Upstream>,
    /// What is protected, and how. A request that no realm covers is refused.
    #[schemars(length(min = 1))]
    pub realms: Vec<realms::Realm>,
    /// Bounds on what comes from outside. Every one of them protects the memory or the time of this process.
    pub limits: Limits,
    /// Logs, on standard error.
    pub log: Log,
}

/// The agent itself.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    /// The name by which the policy server and the audit log know this agent. Classic name: DefaultAgentName.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Data threads, each with its own connections to the applications; 0 for one per core.
    #[schemars(range(max = 1024))]
    pub workers: usize,
    /// How long requests in progress may run on after SIGTERM. The default is what Kubernetes waits before it
    /// kills.
    pub drain_timeout: TimeSpan,
    /// Where live, ready, metrics and the cache's statistics are served; `""` for nowhere. On loopback by
    /// default, because the admin listener has no login.
    pub admin: String,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            name: defaults::AGENT_NAME.to_owned(),
            workers: defaults::WORKERS,
            drain_timeout: TimeSpan(defaults::DRAIN_TIMEOUT),
            admin: defaults::ADMIN.to_string(),
        }
    }
}

/// Bounds on what comes from outside.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at once, over all listeners. Each may cost 40 KiB.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: usize,
    /// Requests in progress at once; further ones are answered 503 with Retry-After.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests: usize,
    /// The head of a request: its line and headers. From 8KiB, which one session cookie needs, to 1MiB.
    /// Classic name: MaxUrlSize, which bounds the address alone.
    pub head_size: Size,
    /// A request's body; 0 for any, because bodies are streamed in constant memory.
    pub body_size: Size,
    /// How long a request's head may take to arrive, and the longest pause between two requests of a
    /// connection.
    pub head_timeout: TimeSpan,
    /// How long a TLS handshake may take.
    pub handshake_timeout: TimeSpan,
    /// Streams at once on one HTTP/2 connection.
    #[schemars(range(min = 1, max = 10_000))]
    pub h2_streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: defaults::CONNECTIONS,
            requests: defaults::REQUESTS,
            head_size: Size(defaults::HEAD_BYTES),
            body_size: Size(defaults::BODY_BYTES),
            head_timeout: TimeSpan(defaults::HEAD_TIMEOUT),
            handshake_timeout: TimeSpan(defaults::HANDSHAKE_TIMEOUT),
            h2_streams: defaults::H2_STREAMS,
        }
    }
}

/// Logs, on standard error.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`), or levels by module, such as
    /// `info,agent::session=debug`. Classic name: TraceConfigFile.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
    /// Whether every request is logged.
    pub access_log: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: defaults::LOG_FILTER.to_owned(),
            format: LogFormat::Text,
            access_log: true,
        }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for machines.
    Json,
}
