//! `[policy_server]`

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;
use crate::config::units::TimeSpan;

/// Who answers for sessions.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["kind"]))]
pub struct PolicyServer {
    /// Which policy server.
    pub kind: Option<Kind>,
    /// For `embedded`: the policy server's own configuration file.
    pub config_file: Option<PathBuf>,
    /// For `native`: the servers' addresses, in order of preference, such as `https://policy.example.com:44443`.
    /// All of them must lead to the same sessions and keys: the next is asked when one fails. Classic name: policyserver, in SmHost.conf.
    pub urls: Vec<String>,
    /// For `native`, instead of `urls`: groups of servers, such as one for each site, in order of preference.
    /// Classic name: Clusters, of the Host Configuration Object.
    pub clusters: Vec<Cluster>,
    /// For `native`: how calls are spread over a cluster, or over `urls`. Classic name: EnableFailOver.
    pub balance: Balance,
    /// For `native` with `clusters`: a cluster with fewer usable servers than this, in percent, is left for the
    /// next that has enough. Zero by default: a cluster serves down to its last server. Classic name: Failover
    /// Threshold Percent.
    #[schemars(range(max = 100))]
    pub failover_threshold: u8,
    /// For `native`: certificates (PEM) of the authorities to trust; the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// For `native`: a file with the secret that this agent was registered with, at least 16 characters. May be
    /// left out where a client certificate is given. Classic name: sharedsecret, in SmHost.conf.
    pub agent_secret_file: Option<PathBuf>,
    /// For `native`: the certificate (PEM, leaf first) that this agent was registered with. Read at the start.
    pub client_cert_file: Option<PathBuf>,
    /// For `native`: the private key (PEM) of `client_cert_file`.
    pub client_key_file: Option<PathBuf>,
    /// How long one call may take, over all servers that are tried. Classic name: requesttimeout, in SmHost.conf.
    pub timeout: TimeSpan,
    /// How long cached sessions live on past their validation period while no policy server can be reached.
    /// Zero by default: what cannot be checked is refused. The classic agents never stop.
    pub outage_grace: TimeSpan,
}

impl Default for PolicyServer {
    fn default() -> Self {
        Self {
            kind: None,
            config_file: None,
            urls: Vec::new(),
            clusters: Vec::new(),
            balance: Balance::Ordered,
            failover_threshold: 0,
            ca_file: None,
            agent_secret_file: None,
            client_cert_file: None,
            client_key_file: None,
            timeout: TimeSpan(defaults::POLICY_TIMEOUT),
            outage_grace: TimeSpan(defaults::OUTAGE_GRACE),
        }
    }
}

/// Which policy server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One in the same process.
    Embedded,
    /// Doorward's own, over HTTPS.
    Native,
}

/// Policy servers that belong together.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["urls"]))]
pub struct Cluster {
    /// The servers' addresses, in order of preference.
    #[schemars(length(min = 1))]
    pub urls: Vec<String>,
}

/// How calls are spread over a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// To the first server that is usable.
    Ordered,
    /// To each usable server in turn.
    RoundRobin,
}
