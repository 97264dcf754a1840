//! The configuration, valid by construction.
//!
//! [`load()`] makes a `tree` of the file and lays the environment ([`mod@env`]) over it, fits it into the
//! [`schema`] that is generated from [`mod@file`] (`shape`), and checks it for sense (`validate`). Each step
//! reports every problem it finds, with its place. [`defaults`] holds every number with its reason.

pub mod defaults;
pub mod env;
pub mod file;
pub mod problem;
mod realm;
pub mod realm_inheritance;
pub mod reference;
pub mod reload;
pub mod schema;
pub mod services;
pub mod units;

mod load;
mod report;
mod shape;
mod spelling;
mod tree;
mod validate;

pub use env::Environment;
pub use load::{load, load_text};
pub use problem::{Problem, Problems};
pub use realm::{Realm, Response, ResponseKind, ResponseValue, Rule};
pub use validate::names;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderName, Method, Uri};
use ipnet::IpNet;
use policy_client::am::AmSettings;
use policy_client::authaz::AuthAzSettings;
use policy_client::foreign::ForeignKind;
use policy_client::vsphere::VSphereSettings;
use policy_client::{ClientCertificate, ServerList};
use policy_protocol::Secret;

/// Everything an agent needs to run.
#[derive(Debug)]
pub struct Config {
    /// The agent's name, told to the policy server and recorded in cookies.
    pub agent_name: String,
    /// Data threads, each with its own runtime and upstream pools.
    pub workers: NonZeroUsize,
    /// How long requests in progress may run on after SIGTERM.
    pub drain_timeout: Duration,
    /// Where requests come in.
    pub listeners: Vec<Listener>,
    /// Where operators look in, if anywhere.
    pub admin: Option<SocketAddr>,
    /// Networks whose forwarding headers are believed. Empty by default (R3).
    pub trusted_proxies: Vec<IpNet>,
    /// Who answers Validate().
    pub policy_server: PolicyServer,
    /// Cookies and the session cache.
    pub session: SessionSettings,
    /// What applications are told of the user.
    pub identity: IdentitySettings,
    /// Login and logout.
    pub login: LoginSettings,
    /// The applications.
    pub upstreams: Vec<Arc<Upstream>>,
    /// What is protected, and how.
    pub realms: Vec<Arc<Realm>>,
    /// Bounds on what comes from outside (R8).
    pub limits: Limits,
    /// Logs.
    pub log: LogSettings,
    /// Safe defaults that were opted out of (R7), one sentence each; logged at start.
    pub warnings: Vec<String>,
    /// What the operator wrote, with every default filled in, for the admin listener. It names files of
    /// secrets, never what is in them.
    pub written: serde_json::Value,
}

/// One listening socket.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Where to listen.
    pub address: SocketAddr,
    /// TLS, unless this is a plain listener.
    pub tls: Option<TlsSettings>,
    /// A plain listener that only redirects: the port of the HTTPS listener to redirect to.
    pub redirect_to_https: Option<u16>,
    /// Networks that must send a PROXY protocol header (v1 or v2), and the only ones that may.
    pub proxy_protocol_from: Vec<IpNet>,
    /// Session services that are answered here.
    pub services: Arc<services::Services>,
}

/// TLS on a listener.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsSettings {
    /// Certificates; the first is used when no name matches.
    pub certificates: Vec<CertificateFiles>,
    /// Whether TLS 1.2 is offered beside 1.3.
    pub tls12: bool,
    /// Trust anchors for client certificates.
    pub client_ca_file: Option<PathBuf>,
    /// Whether a client without a certificate is turned away at the handshake.
    pub client_certificate_required: bool,
    /// Lists of revoked client certificates; without any, none is looked for.
    pub crl_files: Vec<PathBuf>,
    /// Whether a certificate that no list speaks of is taken, where there are lists.
    pub crl_allow_unknown: bool,
    /// Whether a Host other than the TLS server name is answered 421.
    pub require_matching_host: bool,
}

/// A certificate chain and its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Leaf first.
    pub cert_file: PathBuf,
    /// PKCS #8, SEC 1 or PKCS #1.
    pub key_file: PathBuf,
}

/// Which policy server, and how patient to be with it.
#[derive(Debug)]
pub struct PolicyServer {
    /// Which.
    pub kind: PolicyServerKind,
    /// How long cached sessions live on past their validation period when no server can be reached.
    pub outage_grace: Duration,
    /// What brings sessions that were begun in another system, if that is asked.
    pub foreign: Option<ForeignSessions>,
}

/// What brings sessions that were begun in another system.
#[derive(Clone, Debug)]
pub struct ForeignSessions {
    /// Which system.
    pub kind: ForeignKind,
    /// The cookie with the token.
    pub cookie_name: Option<String>,
    /// The header with the token.
    pub header_name: Option<HeaderName>,
}

impl ForeignSessions {
    /// Whether a cookie is the one with the token.
    pub fn owns_cookie(&self, name: &[u8]) -> bool {
        self.cookie_name
            .as_ref()
            .is_some_and(|own| own.as_bytes() == name)
    }
}

/// Which policy server.
#[derive(Debug)]
pub enum PolicyServerKind {
    /// In this process, with its own configuration file.
    Embedded {
        /// The policy server's configuration.
        config_file: PathBuf,
    },
    /// Doorward's own, over HTTPS.
    Native {
        /// Which servers.
        servers: ServerList,
        /// Trust anchors; the system's if absent.
        ca_file: Option<PathBuf>,
        /// What the agent proves itself with; never absent without a certificate.
        agent_secret: Option<Secret<String>>,
        /// What the agent proves itself with at the TLS handshake.
        client_certificate: Option<ClientCertificate>,
        /// Deadline of each call.
        timeout: Duration,
    },
    /// The web services of an Access Gateway.
    AuthAz(AuthAzSettings),
    /// AM.
    Am(AmSettings),
    /// The session service of vSphere.
    VSphere(VSphereSettings),
}

/// Cookies and the session cache.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// SSO zone: the prefix of the cookies' names.
    pub zone: String,
    /// Further zones whose cookies are accepted, in order.
    pub trusted_zones: Vec<String>,
    /// The cookies' domain; host-only if absent.
    pub cookie_domain: Option<String>,
    /// `SameSite` of the cookies.
    pub same_site: SameSite,
    /// A cookie younger than this is not refreshed.
    pub grace_period: Duration,
    /// Whether a session is bound to the client address it was made for.
    pub check_client_address: bool,
    /// Whether the SMSESSION cookie is passed on to applications.
    pub pass_cookie: bool,
    /// Requests that do not keep a session alive.
    pub overlook: Vec<OverlookRule>,
    /// Bound of the session cache, in bytes.
    pub cache_bytes: u64,
}

/// `SameSite` of our cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent when a link from elsewhere is followed.
    Lax,
    /// Never sent from elsewhere.
    Strict,
    /// Sent always.
    None,
}

/// A request that matches all parts of a rule does not keep its session alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlookRule {
    /// Any of these methods; any at all if empty.
    pub methods: Vec<Method>,
    /// A resource prefix.
    pub resource: String,
}

/// What applications are told of the user.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// `SM-USER` instead of `SM_USER`.
    pub hyphens: bool,
    /// Names (in the underscore form) that are not sent.
    pub omit: Vec<String>,
    /// Further headers that policies of the policy server may set, and so no client.
    pub managed: Vec<HeaderName>,
    /// A signed assertion, if wanted.
    pub assertion: Option<AssertionSettings>,
}

/// The signed identity assertion (a JWT).
#[derive(Clone, Debug)]
pub struct AssertionSettings {
    /// The header that carries it.
    pub header: HeaderName,
    /// The `iss` claim.
    pub issuer: String,
    /// How long one is valid.
    pub lifetime: Duration,
}

/// Login and logout.
#[derive(Clone, Debug)]
pub struct LoginSettings {
    /// The path under which login, logout and keys are served, such as `/doorward`.
    pub path: String,
    /// Further paths that log out.
    pub logout_paths: Vec<String>,
    /// Where to go after logout: a path or an allowed address. A page of our own if absent.
    pub logout_target: Option<String>,
    /// Origins besides the request's own that TARGET may lead to.
    pub allowed_targets: Vec<String>,
    /// The largest request body that is kept while the user logs in, in bytes; 0 for none.
    pub preserve_bytes: usize,
    /// For how long a browser may remember its user's name, if at all.
    pub remember_user_name: Option<Duration>,
    /// How the pages look and read.
    pub pages: PageSettings,
}

/// How the pages look and read.
#[derive(Clone, Debug, Default)]
pub struct PageSettings {
    /// What the login page calls the place.
    pub title: String,
    /// A picture above the form.
    pub logo_file: Option<PathBuf>,
    /// Templates and texts that replace the built-in ones.
    pub template_dir: Option<PathBuf>,
}

/// An application.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// Its servers: scheme and authority.
    pub servers: Vec<Uri>,
    /// HTTP/2 to the servers, with prior knowledge on plain http.
    pub http2: bool,
    /// How a server is chosen.
    pub balance: Balance,
    /// Trust anchors for https servers; the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// Active health checks, if wanted.
    pub health: Option<HealthCheck>,
    /// To connect, TLS included.
    pub connect_timeout: Duration,
    /// From the request's end to the response's head.
    pub response_timeout: Duration,
    /// Without a byte in either direction.
    pub idle_timeout: Duration,
    /// How long an unused connection is kept. Below the servers' own limit.
    pub keep_alive: Duration,
    /// Unused connections kept for each worker and server.
    pub max_idle: usize,
    /// Send the client's Host instead of the server's own name.
    pub preserve_host: bool,
}

/// How a server is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// In turn.
    RoundRobin,
    /// The one with the fewest requests in progress.
    LeastConnections,
}

/// Active health checks.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    /// A GET of this path must answer 2xx or 3xx.
    pub path: String,
    /// Between checks.
    pub interval: Duration,
    /// For one check.
    pub timeout: Duration,
}

/// Bounds on what comes from outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections at once, over all listeners.
    pub connections: usize,
    /// Requests in progress at once.
    pub requests: usize,
    /// The head of a request, in bytes.
    pub head_bytes: usize,
    /// A request's body, in bytes; 0 for any.
    pub body_bytes: u64,
    /// To receive a head; also the longest pause between requests.
    pub head_timeout: Duration,
    /// For a TLS handshake.
    pub handshake_timeout: Duration,
    /// Streams at once on one HTTP/2 connection.
    pub h2_streams: u32,
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// In the syntax of tracing's EnvFilter.
    pub filter: String,
    /// JSON lines instead of text.
    pub json: bool,
    /// Whether every request is logged.
    pub access_log: bool,
}

#[cfg(test)]
mod tests;
