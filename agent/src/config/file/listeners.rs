//! `[[listeners]]`

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::services::Services;
use crate::config::units::{Address, Network};

/// One listening socket.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["address"]))]
pub struct Listener {
    /// Where to listen. `[::]:8443` listens on IPv4 as well.
    pub address: Option<Address>,
    /// Networks of load balancers that send a PROXY protocol header (version 1 or 2) before each
    /// connection. They must send one; everyone else must not.
    pub proxy_protocol_from: Vec<Network>,
    /// Only for a listener without TLS: redirect every request to https on this port, and serve nothing. A
    /// listener without TLS and without this sends session cookies in clear text, and warns at start.
    #[schemars(range(min = 1))]
    pub redirect_to_https: Option<u16>,
    /// TLS. Without this section, the listener is plain HTTP.
    pub tls: Option<Tls>,
    /// Session services of other systems, answered here on every host.
    pub services: Services,
}

/// TLS on a listener.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["certificates"]))]
pub struct Tls {
    /// Certificates and their keys, chosen by the server name that the client asks for; the first is used
    /// when no name matches. They are read again when the files change.
    #[schemars(length(min = 1))]
    pub certificates: Vec<Certificate>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// Certificates (PEM) of the authorities that sign client certificates. Without it, no client
    /// certificate is asked for.
    pub client_ca_file: Option<PathBuf>,
    /// Whether a client must have a certificate.
    pub client_certificate: ClientCertificate,
    /// Lists of revoked certificates (PEM, "X509 CRL"), of every authority that a client's certificate goes
    /// through. Without any, nothing is known of revocations. They are read again when the files change; a
    /// list past its next update refuses all certificates that it speaks of.
    pub crl_files: Vec<PathBuf>,
    /// Whether certificates of authorities without a list are taken, where there are `crl_files`.
    pub crl_allow_unknown: bool,
    /// Answer 421 when the request's host is not the name that the TLS session was made for. Turned off,
    /// a client certificate asked for on one host can be avoided through another.
    pub require_matching_host: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            min_version: TlsVersion::Tls12,
            client_ca_file: None,
            client_certificate: ClientCertificate::Optional,
            crl_files: Vec::new(),
            crl_allow_unknown: false,
            require_matching_host: true,
        }
    }
}

/// A certificate and its key.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["cert_file", "key_file"]))]
pub struct Certificate {
    /// The certificate chain (PEM), the server's own first.
    pub cert_file: Option<PathBuf>,
    /// The private key (PEM): PKCS #8, SEC 1 or PKCS #1.
    pub key_file: Option<PathBuf>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2, for clients from before 2018.
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

/// Whether a client must have a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificate {
    /// One is asked for; realms with `scheme = "certificate"` demand it.
    Optional,
    /// Without one there is no connection.
    Required,
}
