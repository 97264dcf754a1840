//! `[[upstreams]]`

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;
use crate::config::units::TimeSpan;

/// An application.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "servers"]))]
pub struct Upstream {
    /// What realms call it. Unique.
    #[schemars(length(min = 1))]
    pub name: Option<String>,
    /// Its servers, such as `http://127.0.0.1:3000`: scheme, host and port, no path.
    #[schemars(length(min = 1))]
    pub servers: Vec<String>,
    /// Speak HTTP/2 to the servers, as gRPC needs; with prior knowledge where the scheme is http.
    pub http2: bool,
    /// How a server is chosen.
    pub balance: Balance,
    /// For https servers: certificates (PEM) of the authorities to trust; the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// How long connecting may take, TLS included.
    pub connect_timeout: TimeSpan,
    /// How long the head of a response may take, once the request is sent.
    pub response_timeout: TimeSpan,
    /// How long a request, response or WebSocket may rest without a byte in either direction.
    pub idle_timeout: TimeSpan,
    /// How long an unused connection is kept. Keep it below the servers' own limit, or requests meet connections
    /// that are being closed.
    pub keep_alive: TimeSpan,
    /// Unused connections that are kept for each worker and server.
    #[schemars(range(max = 10_000))]
    pub max_idle: usize,
    /// Send the host that the client asked for, instead of the server's own name.
    pub preserve_host: bool,
    /// Checks that take a dead server out of the choice. Without this section, only failing requests do.
    pub health: Option<Health>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            name: None,
            servers: Vec::new(),
            http2: false,
            balance: Balance::RoundRobin,
            ca_file: None,
            connect_timeout: TimeSpan(defaults::CONNECT_TIMEOUT),
            response_timeout: TimeSpan(defaults::RESPONSE_TIMEOUT),
            idle_timeout: TimeSpan(defaults::UPSTREAM_IDLE_TIMEOUT),
            keep_alive: TimeSpan(defaults::UPSTREAM_KEEP_ALIVE),
            max_idle: defaults::UPSTREAM_MAX_IDLE,
            preserve_host: true,
            health: None,
        }
    }
}

/// How a server is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// In turn.
    RoundRobin,
    /// The one with the fewest requests in progress.
    LeastConnections,
}

/// Active health checks.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["path"]))]
pub struct Health {
    /// A GET of this path must answer 2xx or 3xx.
    pub path: Option<String>,
    /// How often to check.
    pub interval: TimeSpan,
    /// How long one check may take.
    pub timeout: TimeSpan,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: None,
            interval: TimeSpan(defaults::HEALTH_INTERVAL),
            timeout: TimeSpan(defaults::HEALTH_TIMEOUT),
        }
    }
}
