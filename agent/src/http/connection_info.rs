//! What is known of a connection before its first request.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use policy_protocol::{Clock, Timestamp, hex};
use tokio::sync::watch;

use super::client_origin::Forwarding;
use crate::config::services::Services;

/// How often it is looked whether a client's certificate has expired, to close its connection; what counts is
/// looked at with each request.
const EXPIRY_POLL: Duration = Duration::from_secs(10);

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
    pub client_certificate: Option<VerifiedCertificate>,
    /// The worker that serves it, an index into per-worker pools.
    pub worker: usize,
    /// A listener that does nothing but redirect: the HTTPS port.
    pub redirect_to_https: Option<u16>,
    /// Session services that are answered here, if there are any.
    pub services: Option<Arc<Services>>,
    /// What upstreams were told of the first request.
    pub forwarding: OnceLock<Forwarding>,
}

impl ConnectionInfo {
    /// The client's certificate, if it would be taken in a handshake now.
    pub fn valid_certificate(&self, now: Timestamp) -> Option<&ClientCertificate> {
        let verified = self.client_certificate.as_ref()?;
        verified.is_valid(now).then_some(&*verified.certificate)
    }

    /// Waits until the client's certificate would no longer be taken; for ever if there is none.
    pub async fn certificate_lapsed(&self, clock: &dyn Clock) {
        match &self.client_certificate {
            Some(verified) => verified.lapsed(clock).await,
            None => std::future::pending().await,
        }
    }
}

/// A client's certificate, and what it was verified with.
#[derive(Clone, Debug)]
pub struct VerifiedCertificate {
    /// The certificate.
    pub certificate: Arc<ClientCertificate>,
    /// Whom the listener trusted then.
    pub trust: Arc<ClientTrust>,
}

impl VerifiedCertificate {
    fn is_valid(&self, now: Timestamp) -> bool {
        now <= self.certificate.not_after && !*self.trust.superseded.borrow()
    }

    async fn lapsed(&self, clock: &dyn Clock) {
        let mut superseded = self.trust.superseded.subscribe();
        while self.is_valid(clock.now()) {
            let waiting = superseded.wait_for(|superseded| *superseded);
            let _elapsed = tokio::time::timeout(EXPIRY_POLL, waiting).await;
        }
    }
}

/// What a certificate (DER) is known by: SHA-256, lower-case hex.
pub fn fingerprint(certificate: &[u8]) -> String {
    hex::encode(digest(&SHA256, certificate))
}

/// The authorities and lists that client certificates of a listener are verified with.
#[derive(Debug)]
pub struct ClientTrust {
    digest: [u8; 32],
    superseded: watch::Sender<bool>,
}

impl ClientTrust {
    /// A digest of everything that a verification depends on.
    pub fn new(digest: [u8; 32]) -> Self {
        Self {
            digest,
            superseded: watch::Sender::new(false),
        }
    }

    /// Whether both would verify alike.
    pub fn equals(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// From now on nothing that was verified with this counts.
    pub fn supersede(&self) {
        self.superseded.send_replace(true);
    }
}

/// What a client's certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject's distinguished name (RFC 4514).
    pub subject: String,
    /// The issuer's distinguished name (RFC 4514).
    pub issuer: String,
    /// See [`fingerprint`].
    pub fingerprint: String,
    /// The common names in the subject.
    pub common_names: Vec<String>,
    /// The e-mail addresses among the alternative names.
    pub emails: Vec<String>,
    /// The last moment of its validity.
    pub not_after: Timestamp,
}

#[cfg(test)]
mod tests;
