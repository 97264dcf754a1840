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
    /// All of them must lead to the same sessions and keys: the next is asked when one cannot be reached. Classic name: policyserver, in SmHost.conf.
    pub urls: Vec<String>,
    /// For `native`: certificates (PEM) of the authorities to trust; the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// For `native`: a file with the secret that this agent was registered with, at least 16 characters.
    /// Classic name: sharedsecret, in SmHost.conf.
    pub agent_secret_file: Option<PathBuf>,
    /// How long one call may take. Classic name: requesttimeout, in SmHost.conf.
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
            ca_file: None,
            agent_secret_file: None,
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
