//! `policy-server.toml` as an operator writes it.

use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use toml::Spanned;

use super::assertions::AssertionsSection;
use super::audit::AuditSection;
use super::directories::DirectorySection;
use super::keys::KeysSection;
use super::regulation::RegulationSection;
use super::sessions::SessionsSection;
use super::store::StoreSection;

/// The file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyServerFile {
    /// What this policy server is called in audit records: the machine's name unless given.
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
    /// The folder of this policy server; made if absent, closed to other accounts. Without a `[store]`
    /// section it holds everything.
    pub state_dir: String,
    /// Where keys, sessions, revocations and the feed are: in SQLite in `state_dir` unless given. Policy
    /// servers that answer for the same sessions share one store.
    #[serde(default)]
    pub store: StoreSection,
    /// The master key, which seals what is secret in the store.
    #[serde(default)]
    pub keys: KeysSection,
    /// A file with users: the short form of a first directory, of kind `file`.
    pub users_file: Option<String>,
    /// Where the users are, in order: a user is the one in the first directory that has the name.
    #[serde(default)]
    pub directories: Vec<DirectorySection>,
    /// Agents that may ask over HTTPS.
    #[serde(default)]
    pub agents: Vec<AgentSection>,
    /// Sessions administration over HTTPS; off if absent.
    pub admin: Option<AdminSection>,
    /// Where to listen; leave it out for a policy server inside an agent.
    pub listen: Option<ListenSection>,
    /// Caps on what realms ask for.
    #[serde(default)]
    pub limits: LimitsSection,
    /// What guessing passwords costs.
    #[serde(default)]
    pub regulation: RegulationSection,
    /// How long agent keys and session ticket keys are current: `7d` unless given, at least `1h`.
    #[schemars(with = "Option<String>")]
    pub agent_key_rollover: Option<Spanned<String>>,
    /// The file that says who may do what, for realms with `authorize = true`. Without it nobody may.
    pub policies_file: Option<String>,
    /// How many sessions a user may have, and what may be noted about them.
    #[serde(default)]
    pub sessions: SessionsSection,
    /// Whose SAML assertions are believed, and which agents may say that they have verified one: nobody's
    /// unless given.
    #[serde(default)]
    pub assertions: Vec<AssertionsSection>,
    /// Where audit records go.
    #[serde(default)]
    pub audit: AuditSection,
}

/// An agent that may ask over HTTPS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentSection {
    /// The agent's name.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// A file with the agent's secret: at least 16 characters on one line. An agent needs a secret, a
    /// certificate, or both.
    #[schemars(with = "Option<String>")]
    pub secret_file: Option<Spanned<String>>,
    /// SHA-256 of the agent's client certificates (DER) in hex; any of them will do. Needs
    /// `listen.client_ca_file`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub certificate_fingerprints: Vec<Spanned<String>>,
}

/// Sessions administration over HTTPS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminSection {
    /// A file with the administrators' secret: at least 16 characters on one line.
    #[schemars(with = "String")]
    pub secret_file: Spanned<String>,
}

/// Where to listen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenSection {
    /// Address and port, such as `0.0.0.0:8444`.
    #[schemars(with = "String")]
    pub address: Spanned<String>,
    /// The certificate chain (PEM), leaf first.
    pub cert_file: String,
    /// The private key (PEM).
    pub key_file: String,
    /// Authorities (PEM) of agents' client certificates: agents are asked for one if given, and may prove
    /// themselves with it.
    pub client_ca_file: Option<String>,
    /// Connections at a time: 1024 unless given, 16 to 8192. An agent holds one or two. The limit of open
    /// files of the process must be above it.
    #[schemars(with = "Option<usize>")]
    pub max_connections: Option<Spanned<usize>>,
}

/// Caps on what realms ask for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsSection {
    /// The longest life of any session: `24h` unless given.
    #[schemars(with = "Option<String>")]
    pub max_timeout: Option<Spanned<String>>,
    /// The longest idle timeout of any session: not capped unless given.
    #[schemars(with = "Option<String>")]
    pub idle_timeout: Option<Spanned<String>>,
}

/// The JSON Schema of the file.
pub fn schema() -> Schema {
    schemars::schema_for!(PolicyServerFile)
}
