//! What a client has to be told.

use std::path::PathBuf;

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
