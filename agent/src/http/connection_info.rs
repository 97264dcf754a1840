//! What is known of a connection before its first request.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use super::client_origin::Forwarding;
use crate::config::services::Services;

/// A connection from a client.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The client, or what a trusted PROXY header said of it.
    pub peer: SocketAddr,
    /// Where it came in.
    pub local: SocketAddr,
    /// Whether it is encrypted.
    pub tls: bool,
    /// The TLS server name (lower case), if one was given.
    pub server_name: Option<Arc<str>>,
    /// Whether a Host other than `server_name` is refused (421).
    pub require_matching_host: bool,
    /// The client's certificate, verified.
    pub client_certificate: Option<Arc<ClientCertificate>>,
    /// The worker that serves it, an index into per-worker pools.
    pub worker: usize,
    /// A listener that does nothing but redirect: the HTTPS port.
    pub redirect_to_https: Option<u16>,
    /// Session services that are answered here, if there are any.
    pub services: Option<Arc<Services>>,
    /// What upstreams were told of the first request.
    pub forwarding: OnceLock<Forwarding>,
}

/// A verified client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject's distinguished name (RFC 4514).
    pub subject: String,
    /// The issuer's distinguished name (RFC 4514).
    pub issuer: String,
    /// SHA-256 of the DER, lower-case hex.
    pub fingerprint: String,
    /// The common names in the subject.
    pub common_names: Vec<String>,
    /// The e-mail addresses among the alternative names.
    pub emails: Vec<String>,
}
