//! What a client has to be told, and what can be wrong with it.

use std::path::PathBuf;
use std::time::Duration;

use policy_protocol::Secret;

/// Which policy servers there are. All of them must lead to the same sessions and keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerList {
    /// Clusters in order of preference, each a list of `https://` addresses in order of preference.
    pub clusters: Vec<Vec<String>>,
    /// How calls are spread over a cluster.
    pub balance: Balance,
    /// A cluster with fewer usable servers than this, in percent, is passed over while another has enough.
    pub failover_threshold: u8,
}

impl ServerList {
    /// One cluster, asked in order.
    pub fn in_order(urls: Vec<String>) -> Self {
        Self {
            clusters: vec![urls],
            balance: Balance::Ordered,
            failover_threshold: 0,
        }
    }
}

/// How calls are spread over a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// To the first that is usable.
    Ordered,
    /// To each in turn.
    RoundRobin,
}

/// A certificate chain and its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Leaf first.
    pub cert_file: PathBuf,
    /// PKCS #8, SEC 1 or PKCS #1.
    pub key_file: PathBuf,
}

/// What every client of a policy server has to be told.
pub(crate) struct TransportSettings {
    pub(crate) servers: ServerList,
    /// Trust anchors (PEM); the system's if absent.
    pub(crate) ca_file: Option<PathBuf>,
    /// What to show to servers that ask for a certificate.
    pub(crate) client_certificate: Option<ClientCertificate>,
    /// The value of the `Authorization` header.
    pub(crate) authorization: Option<Secret<String>>,
    /// Deadline of each call, over all servers.
    pub(crate) timeout: Duration,
    /// What they speak.
    pub(crate) dialect: Dialect,
}

/// What servers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Doorward's own policy API, below `/policy/v1/`.
    Native,
    /// Another system's.
    Foreign,
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No address was given.
    #[error("no policy server address given")]
    NoUrl,
    /// An address is unusable.
    #[error("policy server address {url:?}: {problem}")]
    Url {
        /// The address.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Trust anchors could not be read.
    #[error("trust anchors {from}: {problem}")]
    TrustAnchors {
        /// Where they were looked for.
        from: String,
        /// What is wrong.
        problem: String,
    },
    /// The client certificate or its key cannot be used.
    #[error("client certificate {}: {problem}", file.display())]
    ClientCertificate {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The file with the agent keys cannot be used.
    #[error("agent keys {}: {problem}", file.display())]
    AgentKeys {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The secret cannot stand in an HTTP header, or the HTTP client could not be set up.
    #[error("policy server client: {0}")]
    Setup(String),
}
